//! What DESCRIBE and SHOW CREATE say of a table.

use std::sync::Arc;

use sqlparser::ast::ObjectName;
use sqlparser::tokenizer::Span;

use super::Session;
use crate::catalog::{Catalog, ColumnKind, Relation, Table};
use crate::planner::object_name;
use crate::sql::SourceFile;

impl Session {
    /// What a name stands for, and the catalog that it is in: that of the database it says, else one that alone has the name.
    pub(super) fn named(
        &self,
        name: &ObjectName,
    ) -> Result<(&Catalog, &Relation), (String, Option<String>)> {
        let table = object_name(name);
        let before = name.0.iter().rev().nth(1).and_then(|part| part.as_ident());
        let database = before.filter(|part| part.value != "default_database");
        let others = self.catalog.databases_with(&table);
        let catalog: Option<&Catalog> = match (database, others.as_slice()) {
            (Some(database), _) => self.catalog.database(&database.value).map(Arc::as_ref),
            (None, _) if before.is_some() || self.catalog.get(&table).is_some() => {
                Some(&self.catalog)
            }
            (None, []) => None,
            (None, [(_, only)]) => Some(*only),
            (None, [(first, _), ..]) => {
                let names: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).collect();
                return Err((
                    format!("'{table}' is in several databases: {}", names.join(", ")),
                    Some(format!("say which, as in `{first}`.{table}")),
                ));
            }
        };
        match catalog.and_then(|catalog| Some((catalog, catalog.get(&table)?))) {
            Some(found) => Ok(found),
            None => {
                let near = self.catalog.closest(&table).filter(|near| *near != table);
                let help = near.map(|near| format!("did you mean '{near}'?"));
                Err((format!("'{name}' not found"), help))
            }
        }
    }
}

pub(super) fn describe(table: &Table) -> Vec<Vec<String>> {
    table
        .columns
        .iter()
        .enumerate()
        .map(|(i, column)| {
            let type_name = column.sql_type.kind.to_string();
            let key = match &table.primary_key {
                Some(key) if key.contains(&i) => {
                    let names: Vec<&str> = key
                        .iter()
                        .map(|k| table.columns[*k].field.name().as_str())
                        .collect();
                    format!("PRI({})", names.join(", "))
                }
                _ => String::new(),
            };
            let extras = match &column.kind {
                ColumnKind::Physical => String::new(),
                ColumnKind::Computed(expr) => format!("AS {expr}"),
                ColumnKind::Metadata { key, is_virtual } => {
                    format!(
                        "METADATA FROM '{key}'{}",
                        if *is_virtual { " VIRTUAL" } else { "" }
                    )
                }
            };
            let watermark = match &table.watermark {
                Some((column, expr)) if *column == i => expr.to_string(),
                _ => String::new(),
            };
            let null = if column.field.is_nullable() {
                "TRUE"
            } else {
                "FALSE"
            };
            vec![
                column.field.name().clone(),
                type_name,
                null.to_string(),
                key,
                extras,
                watermark,
            ]
        })
        .collect()
}

/// The text of a statement.
pub fn statement_text(file: &SourceFile, span: Span) -> String {
    let (start, end) = (span.start, span.end);
    let lines = file.text.lines().enumerate().filter_map(|(i, line)| {
        let number = i as u64 + 1;
        if number < start.line || number > end.line {
            return None;
        }
        let from = if number == start.line {
            start.column.saturating_sub(1) as usize
        } else {
            0
        };
        let to = if number == end.line {
            end.column.saturating_sub(1) as usize
        } else {
            usize::MAX
        };
        Some(
            line.chars()
                .skip(from)
                .take(to.saturating_sub(from))
                .collect::<String>(),
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
