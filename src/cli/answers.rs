//! Answers on stdout: rows as a table or as JSON lines, what a server answers as it comes, the changes of subscriptions.

use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use futures::StreamExt as _;

use super::client::{self, Flight};
use super::screen::{Growing, Output, cells};
use super::{messages, print};
use crate::connectors::bad_row_text;
use crate::error::{Error, Result};
use crate::formats::{Encoded, json_row_encoder};
use crate::sql::ast::{Show, StatementKind};
use crate::sql::{SourceFile, parse_script};

/// Shows an answer that is known as a whole; `name`: which of several it is.
///
/// # Errors
/// stdout cannot be written.
pub fn show(
    name: Option<&str>,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    output: Output,
) -> Result<()> {
    match output {
        Output::Table => show_table(name, schema, batches),
        Output::Jsonl => show_json(name, schema, batches),
    }
}

/// Has a server answer the statement of a file and shows it: so many rows, where rows are its answer. `sets`: SETs that stand
/// before it.
///
/// # Errors
/// Mistakes in it; tables that cannot be read; stdout cannot be written.
pub async fn show_asked(
    client: &mut Flight,
    sets: &str,
    file: &Arc<SourceFile>,
    name: Option<&str>,
    output: Output,
) -> Result<Option<u64>> {
    let statements = parse_script(file).map_err(Error::sql)?.statements;
    let is_text = statements.iter().any(|statement| {
        let kind = &statement.kind;
        matches!(
            kind,
            StatementKind::Explain(_) | StatementKind::Show(Show::Create(..))
        )
    });
    let (schema, mut rows) = client::ask(client, sets, file).await?;
    let mut batches = Vec::new();
    let mut changes = None;
    let mut number = 0;
    while let Some(batch) = rows.next().await {
        let (batch, mark) = batch?;
        number += batch.num_rows() as u64;
        match (output, mark) {
            (Output::Table, Some(mark)) => table_of_changes(&mut changes, mark.epoch, &batch)?,
            (Output::Table, None) if is_text => {
                let columns = batch.columns().iter();
                let texts = columns.filter_map(|c| c.as_string_opt::<i32>());
                for text in texts.flatten().flatten() {
                    print(&format!("{}\n", text.trim_end()))?;
                }
            }
            (Output::Table, None) => batches.push(batch),
            (Output::Jsonl, Some(mark)) => show_changes(mark.epoch, &batch)?,
            // What has come is shown while the rest is on its way.
            (Output::Jsonl, None) => show_json(name, &schema, &[batch])?,
        }
    }
    if is_text {
        return Ok(None);
    }
    if output == Output::Table {
        show_table(name, &schema, &batches)?;
    }
    Ok(Some(number))
}

fn show_table(name: Option<&str>, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let mut rows = Vec::new();
    for batch in batches {
        rows.extend(cells(batch)?);
    }
    let title = name.map(|n| format!("{n}:\n")).unwrap_or_default();
    let end = if rows.is_empty() { "no rows\n" } else { "" };
    print(&format!("{title}{}{end}", messages::table(&columns, &rows)))
}

/// The columns of changes without the one that says what becomes of the row, and what that says.
fn change_rows(changes: &RecordBatch) -> Result<(RecordBatch, Vec<&str>)> {
    let columns: Vec<usize> = (1..changes.num_columns()).collect();
    let ops = changes.column(0).as_string_opt::<i32>();
    let op = |row| ops.map_or("+I", |ops| ops.value(row));
    Ok((
        changes.project(&columns)?,
        (0..changes.num_rows()).map(op).collect(),
    ))
}

/// A change a line: `{"epoch":3,"op":"+I","row":{...}}`.
fn show_changes(epoch: u64, changes: &RecordBatch) -> Result<()> {
    let (rows, ops) = change_rows(changes)?;
    let mut encoded = Encoded::default();
    json_row_encoder(rows.schema())
        .encode(&rows, &mut encoded)
        .map_err(|e| Error::data(bad_row_text("a result", &e)))?;
    let mut text = String::new();
    for (op, row) in ops.iter().zip(encoded.payloads()) {
        let row = String::from_utf8_lossy(row);
        text.push_str(&format!(
            "{{\"epoch\":{epoch},\"op\":\"{op}\",\"row\":{row}}}\n"
        ));
    }
    print(&text)
}

/// A change a line, with its epoch.
fn table_of_changes(table: &mut Option<Growing>, epoch: u64, changes: &RecordBatch) -> Result<()> {
    let (rows, ops) = change_rows(changes)?;
    let cells = cells(&rows)?;
    if cells.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    let is_new = table.is_none();
    let table = table.get_or_insert_with(|| Growing::new(&rows.schema(), &cells));
    if is_new {
        table.push_header(&mut text, Some(" epoch  op"));
    }
    for (op, row) in ops.iter().zip(&cells) {
        table.push(&mut text, Some(&format!("{epoch:>6}  {op}")), row);
    }
    print(&text)
}

/// A row a line; with several answers `{"from":"select_1","row":{...}}`.
fn show_json(name: Option<&str>, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    let mut encoder = json_row_encoder(SchemaRef::clone(schema));
    for batch in batches {
        let mut encoded = Encoded::default();
        encoder
            .encode(batch, &mut encoded)
            .map_err(|e| Error::data(bad_row_text("a result", &e)))?;
        let mut text = String::new();
        for row in encoded.payloads() {
            let row = String::from_utf8_lossy(row);
            match name {
                Some(name) => text.push_str(&format!("{{\"from\":\"{name}\",\"row\":{row}}}\n")),
                None => text.push_str(&format!("{row}\n")),
            }
        }
        print(&text)?;
    }
    Ok(())
}
