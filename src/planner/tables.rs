//! CREATE TABLE: the statement checked and turned into a catalog table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use sqlparser::ast::{Ident, ObjectName, Spanned};
use sqlparser::tokenizer::Span;

use super::types::{arrow_field, arrow_type};
use super::{Mistakes, PlanContext, builtin};
use crate::catalog::{Catalog, Column, ColumnKind, Table};
use crate::sql::SourceFile;
use crate::sql::ast::{self, LikeFeature, LikeStrategy, SqlType, SqlTypeKind as Kind};

/// A name without the default catalog and database.
pub fn object_name(name: &ObjectName) -> String {
    name.0
        .last()
        .and_then(|p| p.as_ident())
        .map_or_else(|| name.to_string(), |i| i.value.clone())
}

/// The parts of a name, outermost first.
pub fn name_parts(name: &ObjectName) -> Vec<&str> {
    let parts = name.0.iter().filter_map(|part| part.as_ident());
    parts.map(|part| part.value.as_str()).collect()
}

/// The database in which a name is looked up, and the name there. A name alone may be in any database, if it is in one only.
///
/// # Errors
/// There is no such database, or there are several: a message, and what to do.
pub fn database_of<'a, 'n>(
    catalog: &'a Catalog,
    name: &'n ObjectName,
) -> Result<(&'a Catalog, &'n str), (String, String)> {
    let parts = name_parts(name);
    let (database, table) = match parts.as_slice() {
        [table] => (None, *table),
        ["default_database", table] | ["default_catalog", "default_database", table] => {
            return Ok((catalog, table));
        }
        [database, table] | ["default_catalog", database, table] => (Some(*database), *table),
        _ => (Some(""), ""),
    };
    let Some(database) = database else {
        let others = match catalog.get(table) {
            None => catalog.databases_with(table),
            Some(_) => Vec::new(),
        };
        return match others.as_slice() {
            [] => Ok((catalog, table)),
            [(_, only)] => {
                let only: &'a Catalog = only;
                Ok((only, table))
            }
            [(first, _), ..] => {
                let names: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).collect();
                Err((
                    format!("'{table}' is in several databases: {}", names.join(", ")),
                    format!("say which, as in `{first}`.{table}"),
                ))
            }
        };
    };
    match catalog.database(database) {
        Some(found) => Ok((found.as_ref(), table)),
        None if database == builtin::DATABASE => Ok((catalog, table)),
        None => {
            let names = catalog.databases().map(|(name, _)| name.as_str());
            let names: Vec<&str> = std::iter::once("default_database").chain(names).collect();
            Err((
                format!("table '{name}' not found"),
                format!("the databases are {}", names.join(", ")),
            ))
        }
    }
}

/// The table that a CREATE TABLE declares; `overrides` are options from outside that are put over its own.
///
/// # Errors
/// All mistakes of the statement.
pub fn create_table(
    statement: &ast::CreateTable,
    span: Span,
    file: &Arc<SourceFile>,
    context: &PlanContext<'_>,
    overrides: &BTreeMap<String, String>,
) -> Result<Table, Mistakes> {
    let mut mistakes = Mistakes::new(file);
    let name = object_name(&statement.name);
    let mut table = Table {
        name,
        columns: Vec::new(),
        watermark: None,
        primary_key: None,
        partitioned_by: Vec::new(),
        comment: statement.comment.clone(),
        with: BTreeMap::new(),
        option_spans: BTreeMap::new(),
        file: Arc::clone(file),
        span,
    };
    if let Some(like) = &statement.like {
        inherit(&mut table, like, context.catalog, &mut mistakes);
    }
    for option in &statement.options {
        table
            .with
            .insert(option.key.value.clone(), option.value.value.clone());
        table
            .option_spans
            .insert(option.key.value.clone(), option.value.span);
    }
    table
        .with
        .extend(overrides.iter().map(|(k, v)| (k.clone(), v.clone())));
    add_columns(&mut table, statement, context, &mut mistakes);
    if let Some(watermark) = &statement.watermark {
        add_watermark(&mut table, watermark, context, &mut mistakes);
    }
    if let Some(key) = &statement.primary_key {
        let columns = indexes(&table, &key.columns, &mut mistakes);
        for i in &columns {
            let field = &table.columns[*i].field;
            table.columns[*i].field = field.clone().with_nullable(false);
        }
        table.primary_key = Some(columns);
    }
    if !statement.partitioned_by.is_empty() {
        table.partitioned_by = indexes(&table, &statement.partitioned_by, &mut mistakes);
    }
    if table.columns.is_empty() && mistakes.is_empty() {
        mistakes.add(span, format!("table '{}' has no columns", table.name), None);
    }
    mistakes.or(table)
}

fn indexes(table: &Table, names: &[Ident], mistakes: &mut Mistakes) -> Vec<usize> {
    let mut found = Vec::new();
    for name in names {
        match table.column(&name.value) {
            Some(i) => found.push(i),
            None => mistakes.unknown_column(name, table),
        }
    }
    found
}

/// LIKE: takes over the parts of another table that were not excluded.
fn inherit(table: &mut Table, like: &ast::Like, catalog: &Catalog, mistakes: &mut Mistakes) {
    let source_name = object_name(&like.table);
    let Some(source) = catalog.table(&source_name) else {
        let help = catalog
            .closest(&source_name)
            .map(|n| format!("did you mean '{n}'?"));
        mistakes.add(
            like.table.span(),
            format!("table '{source_name}' of LIKE not found"),
            help,
        );
        return;
    };
    let takes = |feature: LikeFeature| {
        let of = |f: LikeFeature| {
            like.choices
                .iter()
                .rev()
                .find(|c| c.feature == f)
                .map(|c| c.strategy)
        };
        of(feature)
            .or_else(|| of(LikeFeature::All))
            .unwrap_or(LikeStrategy::Including)
            != LikeStrategy::Excluding
    };
    for column in &source.columns {
        let taken = match column.kind {
            ColumnKind::Physical => true,
            ColumnKind::Computed(_) => takes(LikeFeature::Generated),
            ColumnKind::Metadata { .. } => takes(LikeFeature::Metadata),
        };
        if taken {
            table.columns.push(column.clone());
        }
    }
    let renamed = |columns: &[usize], table: &Table| -> Option<Vec<usize>> {
        columns
            .iter()
            .map(|c| table.column(source.columns[*c].field.name()))
            .collect()
    };
    if takes(LikeFeature::Constraints) {
        table.primary_key = source.primary_key.as_ref().and_then(|k| renamed(k, table));
    }
    if takes(LikeFeature::Partitions) {
        table.partitioned_by = renamed(&source.partitioned_by, table).unwrap_or_default();
    }
    if takes(LikeFeature::Watermarks)
        && let Some((column, expr)) = &source.watermark
        && let Some(column) = table.column(source.columns[*column].field.name())
    {
        table.watermark = Some((column, expr.clone()));
    }
    if takes(LikeFeature::Options) {
        table.with.clone_from(&source.with);
    }
}

fn add_columns(
    table: &mut Table,
    statement: &ast::CreateTable,
    context: &PlanContext<'_>,
    mistakes: &mut Mistakes,
) {
    let metadata = table.connector().map(crate::connectors::metadata_keys);
    let mut computed = Vec::new();
    for column in &statement.columns {
        let name = &column.name.value;
        if table.column(name).is_some() {
            mistakes.add(
                column.name.span,
                format!("column '{name}' is declared twice"),
                None,
            );
            continue;
        }
        let (field, kind, declared) = match &column.kind {
            ast::ColumnKind::Physical { data_type } => (
                arrow_field(name, &data_type.value),
                ColumnKind::Physical,
                &data_type.value,
            ),
            ast::ColumnKind::Metadata {
                data_type,
                key,
                is_virtual,
            } => {
                let key = key.clone().unwrap_or_else(|| name.clone());
                if let Some(keys) = &metadata
                    && !keys.iter().any(|k| k.key == key)
                {
                    let help = match crate::catalog::closest(&key, keys.iter().map(|k| k.key)) {
                        Some(near) => format!("did you mean '{near}'?"),
                        None if keys.is_empty() => {
                            "this connector has no metadata columns".to_string()
                        }
                        None => format!(
                            "the keys are: {}",
                            keys.iter().map(|k| k.key).collect::<Vec<_>>().join(", ")
                        ),
                    };
                    mistakes.add(
                        column.span,
                        format!("unknown metadata key '{key}'"),
                        Some(help),
                    );
                }
                let writable = metadata
                    .iter()
                    .flatten()
                    .any(|k| k.key == key && k.writable);
                let kind = ColumnKind::Metadata {
                    key,
                    is_virtual: *is_virtual || !writable,
                };
                (arrow_field(name, &data_type.value), kind, &data_type.value)
            }
            ast::ColumnKind::Computed { expr } => {
                // Their types follow from the other columns, so they come once those are known.
                computed.push((table.columns.len(), expr.clone(), column.span));
                table.columns.push(Column {
                    field: Field::new(name, DataType::Null, true),
                    kind: ColumnKind::Computed(expr.clone()),
                    comment: column.comment.clone(),
                    sql_type: SqlType::nullable(Kind::Null),
                });
                continue;
            }
        };
        table.columns.push(Column {
            field,
            kind,
            comment: column.comment.clone(),
            sql_type: declared.clone(),
        });
    }
    let stored: Vec<Column> = table
        .columns
        .iter()
        .filter(|c| !matches!(c.kind, ColumnKind::Computed(_)))
        .cloned()
        .collect();
    for (i, expr, _) in computed {
        match context.expression(&expr, &stored, &table.file) {
            Ok(typed) => {
                let column = &mut table.columns[i];
                column.field = Field::new(
                    column.field.name(),
                    arrow_type(&typed.ty),
                    typed.ty.nullable,
                );
                column.sql_type = typed.ty;
            }
            Err(mistake) => mistakes.push(*mistake),
        }
    }
}

fn add_watermark(
    table: &mut Table,
    watermark: &ast::Watermark,
    context: &PlanContext<'_>,
    mistakes: &mut Mistakes,
) {
    let Some(column) = table.column(&watermark.column.value) else {
        mistakes.unknown_column(&watermark.column, table);
        return;
    };
    let declared = &table.columns[column];
    let name = declared.field.name().clone();
    if declared.sql_type.kind == Kind::Null && !mistakes.is_empty() {
        // The column is computed and its expression has a mistake, which is told already.
        return;
    }
    if !matches!(
        declared.sql_type.kind,
        Kind::Timestamp(0..=3) | Kind::TimestampLtz(0..=3)
    ) {
        let kind = &declared.sql_type.kind;
        let help = match kind {
            Kind::Char(_) | Kind::Varchar(_) | Kind::String => format!(
                "make it a timestamp first, with a computed column: event_time AS TO_TIMESTAMP(`{name}`)"
            ),
            Kind::BigInt => format!(
                "make it a timestamp first, with a computed column: event_time AS TO_TIMESTAMP_LTZ(`{name}`, 3)"
            ),
            _ => "declare it TIMESTAMP(3) or TIMESTAMP_LTZ(3)".to_string(),
        };
        mistakes.add(
            watermark.column.span,
            format!("the event-time column '{name}' must be TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3, but is {kind}"),
            Some(help),
        );
        return;
    }
    match context.expression(&watermark.expr, &table.columns, &table.file) {
        Ok(typed) => match typed.ty.kind {
            Kind::Timestamp(_) | Kind::TimestampLtz(_) => {
                table.watermark = Some((column, watermark.expr.clone()));
            }
            other => mistakes.add(
                watermark.span,
                format!("the watermark must be a timestamp, but is {other}"),
                Some(format!(
                    "for example: WATERMARK FOR `{name}` AS `{name}` - INTERVAL '10' SECOND"
                )),
            ),
        },
        Err(mistake) => mistakes.push(*mistake),
    }
}
