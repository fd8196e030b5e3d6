//! What DESCRIBE and SHOW CREATE say of a table.

use sqlparser::tokenizer::Span;

use crate::catalog::{ColumnKind, Table};
use crate::sql::SourceFile;

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
