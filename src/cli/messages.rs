//! What statements say: tables of SHOW and DESCRIBE and the text of EXPLAIN to stdout, notes to stderr.

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use super::screen::Output;
use super::{print, tell};
use crate::error::Result;
use crate::session::Message;

/// Prints what statements said.
///
/// # Errors
/// stdout cannot be written.
pub fn say(messages: &[Message], output: Output) -> Result<()> {
    for message in messages {
        match message {
            Message::Note(text) => note(text),
            Message::Text(text) => print(&format!("{}\n", text.trim_end()))?,
            Message::Rows(columns, rows) if output == Output::Table => {
                print(&table(columns, rows))?
            }
            Message::Rows(columns, rows) => {
                for row in rows {
                    let object = columns
                        .iter()
                        .cloned()
                        .zip(row.iter().map(|v| v.clone().into()));
                    let object: serde_json::Map<String, serde_json::Value> = object.collect();
                    print(&format!("{}\n", serde_json::Value::Object(object)))?;
                }
            }
        }
    }
    Ok(())
}

/// A note on stderr.
pub fn note(text: &str) {
    tell(&format!("note: {text}"));
}

/// A warning on stderr.
pub fn warning(text: &str) {
    tell(&format!("warning: {text}"));
}

/// Rows as a table with borders, for results that are known as a whole.
pub fn table(columns: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_header(columns.to_vec());
    for row in rows {
        table.add_row(row.clone());
    }
    format!("{table}\n")
}
