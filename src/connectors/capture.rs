//! Results kept instead of written: `run --capture`, and tests. Touches no declared sink.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use super::{Sink, SinkMode, SinkWriter, WriteRequest};
use crate::catalog::Table;
use crate::changelog::{Batch, RowKind, row_kinds};
use crate::error::{Error, Result};
use crate::formats::{Encoded, Encoder, json_row_encoder};

/// One change of a captured sink: its kind and the row as JSON.
pub type Change = (RowKind, String);

/// Captured changes by sink name.
#[derive(Debug, Default)]
pub struct Capture {
    dir: Option<PathBuf>,
    sinks: Mutex<BTreeMap<String, Captured>>,
}

#[derive(Debug, Default)]
struct Captured {
    /// Names of the key columns, where the sink goes by key.
    key: Option<Vec<String>>,
    changes: Vec<Change>,
    file: Option<std::io::BufWriter<std::fs::File>>,
}

impl Capture {
    /// Keeps changes in memory.
    pub fn in_memory() -> Arc<Self> {
        Arc::default()
    }

    /// Writes changes to `dir/NAME.changelog.jsonl` and, at the end, what is left of them to `dir/NAME.final.jsonl`.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn to_dir(dir: PathBuf) -> Result<Arc<Self>> {
        std::fs::create_dir_all(&dir).map_err(|e| {
            Error::external(format!("cannot make the folder {}: {e}", dir.display()))
        })?;
        Ok(Arc::new(Self {
            dir: Some(dir),
            sinks: Mutex::default(),
        }))
    }

    /// A sink that captures under `name`. `mode` is that of the sink it stands for.
    /// Rows are written as the table's own `json` format would write them.
    pub fn sink(self: &Arc<Self>, name: &str, mode: SinkMode, table: &Table) -> Arc<dyn Sink> {
        Arc::new(CaptureSink {
            capture: Arc::clone(self),
            name: name.to_string(),
            mode,
            table: table.clone(),
        })
    }

    /// The changes of a sink, in order, where they are kept in memory.
    pub fn changes(&self, name: &str) -> Vec<Change> {
        self.lock()
            .get(name)
            .map(|c| c.changes.clone())
            .unwrap_or_default()
    }

    /// The names of all sinks.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// The key columns of a sink that goes by key.
    pub fn key(&self, name: &str) -> Option<Vec<String>> {
        self.lock().get(name)?.key.clone()
    }

    /// The rows left of a sink once its changelog is applied, sorted as text.
    ///
    /// # Errors
    /// Where a captured row cannot be read back.
    pub fn final_rows(&self, name: &str) -> Result<Vec<String>> {
        let sinks = self.lock();
        match sinks.get(name) {
            Some(captured) => fold(&captured.changes, captured.key.as_deref()),
            None => Ok(Vec::new()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Captured>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, name: &str, kind: &str) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join(format!("{name}.{kind}.jsonl")))
    }
}

/// Applies a changelog: by key where there is one, else as a multiset. The rows left, sorted as text.
///
/// # Errors
/// Where a row is no JSON object.
pub fn fold(changes: &[Change], key: Option<&[String]>) -> Result<Vec<String>> {
    let mut rows: Vec<String> = match key {
        Some(columns) => {
            let mut table: HashMap<String, &String> = HashMap::new();
            for (kind, row) in changes {
                let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(row)
                    .map_err(|e| {
                        Error::internal(format!("a captured row is no JSON object: {e}"))
                    })?;
                let values: Vec<_> = columns.iter().map(|c| object.get(c)).collect();
                let key = serde_json::json!(values).to_string();
                match kind {
                    RowKind::Insert | RowKind::UpdateAfter => {
                        table.insert(key, row);
                    }
                    RowKind::UpdateBefore | RowKind::Delete => {
                        table.remove(&key);
                    }
                }
            }
            table.into_values().cloned().collect()
        }
        None => {
            let mut bag: HashMap<&String, i64> = HashMap::new();
            for (kind, row) in changes {
                let weight = if matches!(kind, RowKind::Insert | RowKind::UpdateAfter) {
                    1
                } else {
                    -1
                };
                *bag.entry(row).or_default() += weight;
            }
            bag.into_iter()
                .flat_map(|(row, n)| (0..n).map(move |_| row.clone()))
                .collect()
        }
    };
    rows.sort_unstable();
    Ok(rows)
}

struct CaptureSink {
    capture: Arc<Capture>,
    name: String,
    mode: SinkMode,
    table: Table,
}

impl CaptureSink {
    fn encoder(&self, schema: SchemaRef) -> Box<dyn Encoder> {
        let options = self.table.options();
        for (key, prefix) in [("format", ""), ("value.format", "value.")] {
            if options.get(key) == Some("json")
                && let Ok(format) =
                    crate::formats::format("json", prefix, &options, Arc::clone(&schema))
            {
                return format.encoder();
            }
        }
        json_row_encoder(schema)
    }
}

#[async_trait]
impl Sink for CaptureSink {
    fn mode(&self) -> SinkMode {
        self.mode
    }

    fn guarantee(&self) -> &'static str {
        "captured, not written"
    }

    fn is_single(&self) -> bool {
        true
    }

    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        let WriteRequest { schema, key, .. } = request;
        let names = key.as_ref().filter(|_| self.mode == SinkMode::Upsert);
        let names = names.map(|k| k.iter().map(|i| schema.field(*i).name().clone()).collect());
        let file = match self.capture.path(&self.name, "changelog") {
            Some(path) => Some(std::io::BufWriter::new(
                std::fs::File::create(&path).map_err(|e| {
                    Error::external(format!("cannot write {}: {e}", path.display()))
                })?,
            )),
            None => None,
        };
        let mut sinks = self.capture.lock();
        let captured = sinks.entry(self.name.clone()).or_default();
        captured.key = names;
        captured.file = file;
        drop(sinks);
        let encoder = self.encoder(schema);
        Ok(Box::new(CaptureWriter {
            capture: Arc::clone(&self.capture),
            name: self.name.clone(),
            key,
            encoder,
        }))
    }
}

struct CaptureWriter {
    capture: Arc<Capture>,
    name: String,
    key: Option<Vec<usize>>,
    encoder: Box<dyn Encoder>,
}

#[async_trait]
impl SinkWriter for CaptureWriter {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        let kinds = row_kinds(batch, self.key.as_deref())?;
        let mut encoded = Encoded::default();
        self.encoder
            .encode(&batch.rows, &mut encoded)
            .map_err(|e| Error::data(super::bad_row_text(&format!("sink '{}'", self.name), &e)))?;
        let rows: Vec<&[u8]> = encoded.payloads().collect();
        let mut sinks = self.capture.lock();
        let Some(captured) = sinks.get_mut(&self.name) else {
            return Ok(());
        };
        for (row, kind) in kinds {
            let text = String::from_utf8_lossy(rows[row]).into_owned();
            if let Some(file) = &mut captured.file {
                writeln!(file, "{{\"op\":\"{}\",\"row\":{text}}}", kind.as_str()).map_err(|e| {
                    Error::external(format!("cannot write the capture of '{}': {e}", self.name))
                })?;
            }
            captured.changes.push((kind, text));
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        let mut sinks = self.capture.lock();
        if let Some(file) = sinks.get_mut(&self.name).and_then(|c| c.file.as_mut()) {
            file.flush().map_err(|e| {
                Error::external(format!("cannot write the capture of '{}': {e}", self.name))
            })?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        self.flush().await?;
        if let Some(path) = self.capture.path(&self.name, "final") {
            let rows = self.capture.final_rows(&self.name)?;
            let text: String = rows.iter().flat_map(|r| [r.as_str(), "\n"]).collect();
            std::fs::write(&path, text)
                .map_err(|e| Error::external(format!("cannot write {}: {e}", path.display())))?;
        }
        Ok(())
    }
}
