//! What SHOW and DESCRIBE say.

use sqlparser::ast::ObjectName;
use sqlparser::tokenizer::Span;

use super::{Message, Session};
use crate::catalog::{Catalog, ColumnKind, Relation, Table, View};
use crate::planner::{PlanContext, database_of};
use crate::sql::SourceFile;
use crate::sql::ast::{Show, SqlType};

fn describe(table: &Table) -> Vec<Vec<String>> {
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

/// Why there is nothing to show, and what to do about it.
type Missing = (String, Option<String>);

impl Session {
    /// What SHOW and DESCRIBE answer.
    pub(super) fn show(&self, show: &Show) -> std::result::Result<Vec<Message>, Missing> {
        let list = |title: &str, names: Vec<String>| {
            let rows = names.into_iter().map(|name| vec![name]);
            Ok(vec![Message::Rows(vec![title.into()], rows.collect())])
        };
        match show {
            Show::Tables => list("table name", self.catalog.qualified_names_of(|_| true)),
            Show::Views => {
                let is_view = |r: &Relation| matches!(r, Relation::View(_));
                list("view name", self.catalog.qualified_names_of(is_view))
            }
            Show::Functions => list("function name", self.functions.names()),
            Show::Databases => {
                let others = self.catalog.databases().map(|(name, _)| name.clone());
                let names = std::iter::once("default_database".to_string()).chain(others);
                list("database name", names.collect())
            }
            Show::Catalogs => list("catalog name", vec!["default_catalog".into()]),
            Show::Create(_, name) => Ok(vec![Message::Text(match self.relation(name)?.1 {
                Relation::Table(table) => statement_text(&table.file, table.span),
                Relation::View(view) => format!("CREATE VIEW `{}` AS {}", view.name, view.query),
            })]),
            Show::Columns(name) => {
                let titles = ["name", "type", "null", "key", "extras", "watermark"];
                let titles = titles.map(str::to_string).to_vec();
                let (catalog, relation) = self.relation(name)?;
                let rows = match relation {
                    Relation::Table(table) => describe(table),
                    Relation::View(view) => self.view_columns(view, catalog)?,
                };
                Ok(vec![Message::Rows(titles, rows)])
            }
        }
    }

    /// What a name stands for, and its database.
    fn relation(&self, name: &ObjectName) -> std::result::Result<(&Catalog, &Relation), Missing> {
        let found = database_of(&self.catalog, name);
        let (catalog, bare) = found.map_err(|(message, help)| (message, Some(help)))?;
        let relation = catalog.get(bare).map(|relation| (catalog, relation));
        relation.ok_or_else(|| {
            let near = catalog.closest(bare).filter(|near| *near != bare);
            let help = near.map(|near| format!("did you mean '{near}'?"));
            (format!("'{name}' not found"), help)
        })
    }

    fn view_columns(
        &self,
        view: &View,
        catalog: &Catalog,
    ) -> std::result::Result<Vec<Vec<String>>, Missing> {
        let context = PlanContext {
            catalog,
            ..self.context()
        };
        let bound = context.query(&view.query, &view.file);
        let bound = bound.map_err(|mistake| (mistake.message, None))?;
        let names = bound.columns.iter().map(|(name, _)| name);
        let names: Vec<&String> = match view.columns.is_empty() {
            true => names.collect(),
            false => view.columns.iter().collect(),
        };
        let rows = names.into_iter().zip(&bound.columns);
        let row = |(name, (_, ty)): (&String, &(String, SqlType))| {
            let nullable = if ty.nullable { "TRUE" } else { "FALSE" };
            let mut row = vec![name.clone(), ty.kind.to_string(), nullable.to_string()];
            row.resize(6, String::new());
            row
        };
        Ok(rows.map(row).collect())
    }
}
