//! Rows of bare SELECTs on stdout as they come: a table for people, JSON lines for pipes.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use indicatif::ProgressBar;
use tokio::sync::watch;

use crate::catalog::Table;
use crate::changelog::{Batch, row_kinds};
use crate::connectors::{Sink, SinkMode, SinkWriter, WriteRequest, bad_row_text};
use crate::error::{Error, Result};
use crate::formats::{Encoded, Encoder, json_row_encoder};
use crate::graph::Changes;

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// A table.
    Table,
    /// JSON lines.
    Jsonl,
}

impl Output {
    /// What was asked for, else what fits stdout.
    pub fn choose(asked: Option<Self>) -> Self {
        asked.unwrap_or(if std::io::stdout().is_terminal() {
            Self::Table
        } else {
            Self::Jsonl
        })
    }
}

/// Stdout, shared by all SELECTs of a job.
pub struct Screen {
    output: Output,
    /// How the rows of each SELECT change.
    selects: HashMap<String, Changes>,
    state: Mutex<State>,
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// Whose header was printed last.
    shown: Option<String>,
    tables: HashMap<String, Growing>,
    bar: Option<ProgressBar>,
}

impl Screen {
    /// Nothing shown yet. `selects`: how the rows of each SELECT change.
    pub fn new(output: Output, selects: HashMap<String, Changes>) -> Arc<Self> {
        Arc::new(Self {
            output,
            selects,
            state: Mutex::default(),
            closed: watch::Sender::new(false),
        })
    }

    /// The sink of a SELECT.
    pub fn sink(self: &Arc<Self>, name: &str, _table: &Table) -> Arc<dyn Sink> {
        Arc::new(SelectSink {
            screen: Arc::clone(self),
            name: name.to_string(),
        })
    }

    /// Rows are printed above this bar.
    pub fn keep_below(&self, bar: ProgressBar) {
        self.lock().bar = Some(bar);
    }

    /// Waits until nobody reads stdout any more.
    pub async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        if closed.wait_for(|closed| *closed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, state: &State, text: &str) -> Result<()> {
        let write = || {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        };
        let written = tokio::task::block_in_place(|| match &state.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        });
        match written {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                self.closed.send_replace(true);
                Ok(())
            }
            Err(e) => Err(Error::external("cannot write to stdout").caused_by(e)),
        }
    }

    /// `{"op":"+I","row":{...}}`; with several SELECTs led by `"from":"select_2"`.
    fn json(
        &self,
        name: &str,
        batch: &Batch,
        key: Option<&[usize]>,
        encoder: &mut dyn Encoder,
    ) -> Result<()> {
        let mut encoded = Encoded::default();
        encoder
            .encode(&batch.rows, &mut encoded)
            .map_err(|e| Error::data(bad_row_text(name, &e)))?;
        let rows: Vec<&[u8]> = encoded.payloads().collect();
        let from = if self.selects.len() > 1 {
            format!("\"from\":\"{name}\",")
        } else {
            String::new()
        };
        let mut text = String::new();
        for (row, kind) in row_kinds(batch, key)? {
            let row = String::from_utf8_lossy(rows[row]);
            text.push_str(&format!(
                "{{{from}\"op\":\"{}\",\"row\":{row}}}\n",
                kind.as_str()
            ));
        }
        self.print(&self.lock(), &text)
    }

    fn table(&self, name: &str, batch: &Batch, key: Option<&[usize]>) -> Result<()> {
        let kinds = row_kinds(batch, key)?;
        if kinds.is_empty() {
            return Ok(());
        }
        let with_op = self.selects.get(name).is_none_or(|c| c.updating);
        let cells = cells(&batch.rows)?;
        let mut state = self.lock();
        let mut text = String::new();
        let table = state.tables.entry(name.to_string());
        let table = table.or_insert_with(|| Growing::new(&batch.rows.schema(), &cells));
        let table = table.clone();
        if state.shown.as_deref() != Some(name) {
            if state.shown.is_some() {
                text.push('\n');
            }
            if self.selects.len() > 1 {
                text.push_str(&format!("{name}:\n"));
            }
            table.push_header(&mut text, with_op.then_some("op"));
            state.shown = Some(name.to_string());
        }
        for (row, kind) in kinds {
            table.push(&mut text, with_op.then_some(kind.as_str()), &cells[row]);
        }
        self.print(&state, &text)
    }
}

/// A table whose later rows are not known: numbers to the right, a value that is too wide as it is.
#[derive(Debug, Clone)]
pub struct Growing {
    schema: SchemaRef,
    widths: Vec<usize>,
}

impl Growing {
    /// Columns as wide as the first rows need, and as later ones probably will.
    pub fn new(schema: &SchemaRef, first: &[Vec<String>]) -> Self {
        let width = |(i, field): (usize, &Arc<Field>)| {
            let least = match field.data_type() {
                DataType::Timestamp(..) => 23,
                other if other.is_numeric() => 8,
                _ => 12,
            };
            let widest = first.iter().map(|row| row[i].chars().count()).max();
            let widest = widest.unwrap_or_default().min(40);
            field.name().chars().count().max(least).max(widest)
        };
        Self {
            widths: schema.fields().iter().enumerate().map(width).collect(),
            schema: Arc::clone(schema),
        }
    }

    /// Adds the names of the columns; `lead`: what stands before them.
    pub fn push_header(&self, text: &mut String, lead: Option<&str>) {
        let names = self.schema.fields().iter().map(|f| f.name().clone());
        self.push(text, lead, &names.collect::<Vec<_>>());
        let rule = |c: char| if c == ' ' { c } else { '-' };
        let lead = lead.map(|lead| lead.chars().map(rule).collect::<String>());
        let rules: Vec<String> = self.widths.iter().map(|w| "-".repeat(*w)).collect();
        self.push(text, lead.as_deref(), &rules);
    }

    /// Adds a row.
    pub fn push(&self, text: &mut String, lead: Option<&str>, cells: &[String]) {
        let mut line = String::new();
        if let Some(lead) = lead {
            line.push_str(lead);
            line.push_str("  ");
        }
        for (i, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            if i > 0 {
                line.push_str("  ");
            }
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            if self.schema.field(i).data_type().is_numeric() {
                line.push_str(&padding);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&padding);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// The values of rows as text, control characters made visible.
///
/// # Errors
/// A type that has no text.
pub fn cells(rows: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.3f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.3fZ"));
    let formatters: Vec<ArrayFormatter<'_>> = rows
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<std::result::Result<_, _>>()?;
    let cell = |formatter: &ArrayFormatter<'_>, row: usize| -> Result<String> {
        let text = formatter.value(row).try_to_string()?;
        if !text.contains(char::is_control) {
            return Ok(text);
        }
        let visible = |c: char| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        };
        Ok(text.chars().map(visible).collect())
    };
    (0..rows.num_rows())
        .map(|row| formatters.iter().map(|f| cell(f, row)).collect())
        .collect()
}

struct SelectSink {
    screen: Arc<Screen>,
    name: String,
}

#[async_trait]
impl Sink for SelectSink {
    fn mode(&self) -> SinkMode {
        SinkMode::Retract
    }

    fn guarantee(&self) -> &'static str {
        "shown, not kept"
    }

    fn is_single(&self) -> bool {
        true
    }

    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        let WriteRequest { schema, key, .. } = request;
        let encoder = json_row_encoder(schema);
        // A SELECT has no declared key, but what its query groups by tells an update from a deletion and an insertion.
        let key = key.or_else(|| {
            self.screen
                .selects
                .get(&self.name)?
                .upsert_keys
                .first()
                .cloned()
        });
        Ok(Box::new(SelectWriter {
            screen: Arc::clone(&self.screen),
            name: self.name.clone(),
            key,
            encoder,
        }))
    }
}

struct SelectWriter {
    screen: Arc<Screen>,
    name: String,
    key: Option<Vec<usize>>,
    encoder: Box<dyn Encoder>,
}

#[async_trait]
impl SinkWriter for SelectWriter {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        match self.screen.output {
            Output::Table => self.screen.table(&self.name, batch, self.key.as_deref()),
            Output::Jsonl => self.screen.json(
                &self.name,
                batch,
                self.key.as_deref(),
                self.encoder.as_mut(),
            ),
        }
    }

    async fn flush(&mut self) -> Result<()> {
        // Every write has gone out already.
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};

    fn rows() -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "name",
                Arc::new(StringArray::from(vec![Some("a\u{1b}[2J\n"), None])),
            ),
            ("n", Arc::new(Int64Array::from(vec![Some(7), None]))),
            (
                "at",
                Arc::new(TimestampMillisecondArray::from(vec![
                    Some(1_736_899_200_000),
                    None,
                ])),
            ),
            (
                "zoned",
                Arc::new(
                    TimestampMillisecondArray::from(vec![Some(1_736_899_200_001), None])
                        .with_timezone("UTC"),
                ),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
            .unwrap()
    }

    #[test]
    fn values_as_text() {
        let found = cells(&rows()).unwrap();
        assert_eq!(
            found[0],
            [
                "a\\u{1b}[2J\\n",
                "7",
                "2025-01-15 00:00:00.000",
                "2025-01-15 00:00:00.001Z"
            ]
        );
        assert_eq!(found[1], ["NULL"; 4]);
    }

    #[test]
    fn lines_are_aligned() {
        let rows = rows();
        let mut text = String::new();
        let cells: Vec<String> = ["ab", "7", "x", "y"].map(str::to_string).to_vec();
        let table = Growing {
            schema: rows.schema(),
            widths: vec![4, 3, 2, 2],
        };
        table.push(&mut text, Some("+I"), &cells);
        assert_eq!(text, "+I  ab      7  x   y\n");
    }
}
