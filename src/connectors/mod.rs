//! Where rows come from and go to: one module a connector, the only async edges of a job.

mod away;
mod bad_rows;
mod blackhole;
pub mod capture;
mod commit;
#[allow(
    clippy::disallowed_methods,
    reason = "measures time, and draws names and values nobody else has"
)]
mod datagen;
#[allow(
    clippy::disallowed_methods,
    reason = "measures time, and draws names and values nobody else has"
)]
mod filesystem;
mod folded;
#[allow(clippy::disallowed_methods, reason = "measures time")]
mod generated;
mod inbox;
#[allow(
    clippy::disallowed_methods,
    reason = "measures time, and draws names and values nobody else has"
)]
pub mod kafka;
mod nexmark;
mod print;
mod sent;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
mod without_effect;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arrow::array::{Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;

use crate::catalog::Table;
use crate::catalog::options::OptionError;
use crate::changelog::Batch;
use crate::error::Result;

pub use bad_rows::{BadRecord, BadRows, bad_rows_schema};
pub use commit::{Ahead, Committer, JobContext, WriteRequest};
pub use filesystem::file_source;
pub use folded::folded;
pub use inbox::{Inbox, Inboxes};
pub use sent::Sent;
pub use without_effect::notes;

/// The names of all connectors.
pub const NAMES: &[&str] = &[
    "blackhole",
    "datagen",
    "filesystem",
    "kafka",
    "nexmark",
    "print",
    "upsert-kafka",
];

/// How many writers a sink has.
const SINK_PARALLELISM: &str = "sink.parallelism";

/// Options of a table that is read: where its records go that give no row.
pub const BAD_ROWS_OPTIONS: [&str; 2] = ["bad-rows.topic", "bad-rows.path"];

/// What a source reader says next.
#[derive(Debug)]
pub enum SourceEvent {
    /// These partitions are now read by this reader: at the start, also where there are none, and when new ones are found.
    Assigned(Vec<Arc<str>>),
    /// Rows of one partition, in its order.
    Rows {
        /// The partition.
        partition: Arc<str>,
        /// The rows, columns as asked for.
        rows: RecordBatch,
        /// Their weights, where the table is a changelog: negative for a row that goes.
        weights: Option<Int64Array>,
    },
    /// The partition has no more rows, ever.
    PartitionEnd(Arc<str>),
    /// There is nothing to read right now.
    Quiet,
    /// All partitions have ended.
    End,
}

/// Reads some partitions of a table.
#[async_trait]
pub trait SourceReader: Send {
    /// The next event. Dropping the future loses nothing.
    ///
    /// # Errors
    /// A row that does not decode (naming partition, position, field and reason), or an outside system that failed for good.
    async fn next(&mut self) -> Result<SourceEvent>;

    /// Takes the records before [`SourceReader::positions`] that gave no row and were not taken yet, as rows of
    /// [`bad_rows_schema`]. Only where [`ReadRequest::keep_bad_rows`] asks for them.
    fn take_bad_rows(&mut self) -> Vec<RecordBatch> {
        Vec::new()
    }

    /// For each partition of this reader where to go on: after the last row returned. Also of partitions that have ended.
    fn positions(&self) -> Vec<(Arc<str>, String)>;
}

/// What a reader is asked for.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// Stored and metadata columns to read, as indexes into the table's columns, ascending.
    pub columns: Vec<usize>,
    /// Their rows.
    pub schema: SchemaRef,
    /// Which of the readers this is.
    pub instance: usize,
    /// How many readers there are; each partition is read by exactly one.
    pub parallelism: usize,
    /// Where to go on, by partition, when a snapshot is restored.
    pub restored: HashMap<String, String>,
    /// Rows a batch at most.
    pub batch_rows: usize,
    /// Read up to the present end and stop, whatever the table says (a snapshot query).
    pub bounded: bool,
    /// Where somebody reads the records that give no row: the table's name. They are kept then and do not fail the job.
    pub keep_bad_rows: Option<String>,
    /// Counters.
    pub metrics: Arc<SourceMetrics>,
}

/// Counters of a source, read from outside while it runs.
#[derive(Debug, Default)]
pub struct SourceMetrics {
    /// Rows read.
    pub rows: AtomicU64,
    /// Bytes read.
    pub bytes: AtomicU64,
    /// Bytes (or, for Kafka, records) there are in all, where the input is bounded; 0 where that is not known.
    pub total: AtomicU64,
    /// How many of `total` are done.
    pub done: AtomicU64,
    /// The clock at the last row, in milliseconds since the epoch; 0 before the first.
    pub last_row: AtomicI64,
    /// The furthest watermark of any of its readers, in milliseconds since the epoch; 0 before the first.
    pub watermark: AtomicI64,
    /// How far the partitions of its topics have been read, where it is of Kafka, by name.
    pub offsets: std::sync::Mutex<BTreeMap<Arc<str>, Offsets>>,
    /// Rows too far ahead of the clock to move it.
    pub ahead_rows: AtomicU64,
    /// Rows or fields that did not decode and were skipped.
    pub bad_rows: AtomicU64,
    /// The first of them, as text: place and reason.
    pub first_bad_rows: std::sync::Mutex<Vec<String>>,
    /// The last of them.
    last_bad_rows: std::sync::Mutex<VecDeque<LeftOut>>,
}

/// A row or field that did not decode and was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it stands, as messages name it.
    pub place: String,
    /// The field at fault.
    pub field: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

/// How far a partition of a topic has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offsets {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset after the last record read.
    pub position: i64,
    /// The offset after its last record, when that was last known; `None`: it is not known yet.
    pub end: Option<i64>,
}

impl Offsets {
    /// How many records are left to read, as far as is known.
    pub fn lag(&self) -> Option<i64> {
        self.end.map(|end| end.saturating_sub(self.position).max(0))
    }
}

/// How many bad rows are kept to be shown: the first ones, and the last ones.
const KEPT_BAD_ROWS: (usize, usize) = (20, 1000);

impl SourceMetrics {
    /// The last rows or fields that were skipped, oldest first.
    pub fn last_bad_rows(&self) -> Vec<LeftOut> {
        let kept = self.last_bad_rows.lock();
        kept.map(|kept| kept.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Counts a skipped row and keeps the first few; logs each power of ten.
    pub fn bad_row(&self, place: &str, row: &crate::formats::BadRow) {
        let text = bad_row_text(place, row);
        let count = self.bad_rows.fetch_add(1, Ordering::Relaxed) + 1;
        if count == 10u64.pow(count.ilog10()) {
            tracing::warn!(count, "left out: {text}");
        }
        if let Ok(mut kept) = self.first_bad_rows.lock()
            && kept.len() < KEPT_BAD_ROWS.0
        {
            kept.push(text);
        }
        if let Ok(mut kept) = self.last_bad_rows.lock() {
            if kept.len() >= KEPT_BAD_ROWS.1 {
                kept.pop_front();
            }
            kept.push_back(LeftOut {
                place: place.to_string(),
                field: row.field.clone(),
                reason: row.reason.clone(),
            });
        }
    }
}

/// `place: field 'f': reason`.
pub fn bad_row_text(place: &str, row: &crate::formats::BadRow) -> String {
    match &row.field {
        Some(field) => format!("{place}: field '{field}': {}", row.reason),
        None => format!("{place}: {}", row.reason),
    }
}

/// A table that can be read: its options checked.
#[async_trait]
pub trait Source: Send + Sync {
    /// Whether it ends by itself.
    fn is_bounded(&self) -> bool;

    /// Where its positions count, as text: of a Kafka table the cluster. Checkpoints keep it: positions of another place say nothing.
    ///
    /// # Errors
    /// The outside system cannot be reached.
    async fn place(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Whether it may read a partition of this name, and what it reads instead.
    fn reads(&self, _partition: &str) -> std::result::Result<(), String> {
        Ok(())
    }

    /// A checkpoint is committed that holds all rows before these positions, by partition, and none after them.
    ///
    /// # Errors
    /// Whoever waits for that cannot be told. The job goes on.
    async fn committed(&self, _positions: &[(&str, &str)]) -> Result<()> {
        Ok(())
    }

    /// A reader.
    ///
    /// # Errors
    /// Missing files, unreachable brokers, unknown topics.
    async fn reader(&self, request: ReadRequest) -> Result<Box<dyn SourceReader>>;
}

/// How the rows that a source reads change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceMode {
    /// They are inserted and stay.
    Append,
    /// By primary key: a row replaces the one before, a row of negative weight deletes it (only its key columns count).
    Upsert,
    /// Each comes and goes by its weight.
    Retract,
}

/// The connector of a managed table where its changes are read; nobody can write it in a WITH list.
pub const MANAGED: &str = "managed";

/// How the rows of a table change when it is read.
pub fn source_mode(table: &Table) -> SourceMode {
    let options = table.options();
    let format = options
        .get("value.format")
        .or_else(|| options.get("format"));
    match (table.connector(), format) {
        (Some("upsert-kafka"), _) => SourceMode::Upsert,
        (Some(MANAGED), _) if table.primary_key.is_some() => SourceMode::Retract,
        (_, Some("debezium-json")) => SourceMode::Retract,
        _ => SourceMode::Append,
    }
}

/// Which changes a sink takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkMode {
    /// Inserted rows only.
    Append,
    /// The latest row per primary key, and its deletion.
    Upsert,
    /// All four row kinds.
    Retract,
}

/// A table that can be written: its options checked.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Which changes it takes.
    fn mode(&self) -> SinkMode;

    /// What it promises over failures, in words for EXPLAIN.
    fn guarantee(&self) -> &'static str;

    /// Whether all rows must go through one writer.
    fn is_single(&self) -> bool {
        false
    }

    /// What makes its rows visible epoch by epoch; `None`: they are visible as soon as they are flushed.
    ///
    /// # Errors
    /// Where the job cannot have what the table asks for.
    fn committer(&self, _job: &Arc<JobContext>) -> Result<Option<Arc<dyn Committer>>> {
        Ok(None)
    }

    /// A writer for one instance. Called once the committers have recovered.
    ///
    /// # Errors
    /// Where the outside system cannot be reached.
    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>>;
}

/// Writes rows of one instance.
#[async_trait]
pub trait SinkWriter: Send {
    /// Takes rows; they may be buffered.
    ///
    /// # Errors
    /// Where a row cannot be encoded or the outside system failed for good.
    async fn write(&mut self, batch: &Batch) -> Result<()>;

    /// Everything taken so far is safely out when this returns.
    ///
    /// # Errors
    /// Where the outside system failed for good.
    async fn flush(&mut self) -> Result<()>;

    /// A barrier: what was taken so far belongs to `epoch`, what follows does not. Flushes, and returns what the committer
    /// needs to make it visible, as text that is kept in the checkpoint. Rows of the next epoch come after the commit.
    ///
    /// # Errors
    /// Where the outside system failed for good.
    async fn prepare(&mut self, _epoch: u64) -> Result<Option<String>> {
        self.flush().await?;
        Ok(None)
    }

    /// The watermark has come to `time`, in milliseconds since the epoch.
    fn watermark(&mut self, _time: i64) {}

    /// Flushes and ends the writer. In a job with checkpoints `prepare` comes before it.
    ///
    /// # Errors
    /// Where the outside system failed for good.
    async fn close(&mut self) -> Result<()> {
        self.flush().await
    }
}

/// A metadata column a connector offers.
#[derive(Debug, Clone)]
pub struct MetadataKey {
    /// Its key.
    pub key: &'static str,
    /// Its type.
    pub data_type: DataType,
    /// Whether it can also be written.
    pub writable: bool,
}

/// The metadata a connector offers.
pub fn metadata_keys(connector: &str) -> Vec<MetadataKey> {
    match connector {
        "kafka" | "upsert-kafka" => kafka::metadata_keys(),
        "filesystem" => filesystem::metadata_keys(),
        _ => Vec::new(),
    }
}

/// The table as a source.
///
/// # Errors
/// Options that are missing, unknown or wrong, all of them; a connector that cannot be read.
pub fn source(table: &Table) -> std::result::Result<Arc<dyn Source>, Vec<OptionError>> {
    let options = table.options();
    let made = match connector(table, &options)? {
        "kafka" | "upsert-kafka" => kafka::source(table, &options),
        "filesystem" => filesystem::source(table, &options),
        "datagen" => datagen::source(table, &options),
        "nexmark" => nexmark::source(table, &options),
        other => Err(OptionError::new(
            "connector",
            format!("a table of connector '{other}' cannot be read"),
        )),
    };
    checked(made, &options)
}

/// The table as a sink.
///
/// # Errors
/// Options that are missing, unknown or wrong, all of them; a connector that cannot be written.
pub fn sink(table: &Table) -> std::result::Result<Arc<dyn Sink>, Vec<OptionError>> {
    let options = table.options();
    let made = match connector(table, &options)? {
        "kafka" | "upsert-kafka" => kafka::sink(table, &options),
        "filesystem" => filesystem::sink(table, &options),
        "print" => print::sink(table, &options),
        "blackhole" => blackhole::sink(table, &options),
        other => Err(OptionError::new(
            "connector",
            format!("a table of connector '{other}' cannot be written"),
        )),
    };
    checked(made, &options)
}

/// What the options begin with that may refer to secrets.
const MAY_REFER: &str = "properties.";

/// The connector's name. Its values are shown and kept, so what must not be is not in them.
fn connector<'a>(
    table: &Table,
    options: &'a crate::catalog::options::Options,
) -> std::result::Result<&'a str, Vec<OptionError>> {
    let shown = table
        .with
        .iter()
        .find(|(key, value)| !key.starts_with(MAY_REFER) && crate::secrets::has_reference(value));
    if let Some((key, _)) = shown {
        let what = format!(
            "'{key}' is shown in messages and kept in checkpoints: it may not refer to a secret"
        );
        let error = OptionError::new(key, what);
        return Err(vec![error.with_help(
            "write its value; '${env:NAME}' and '${file:PATH}' may stand in the options 'properties.*'",
        )]);
    }
    let name = options.require("connector").map_err(|e| vec![e])?;
    if NAMES.contains(&name) {
        return Ok(name);
    }
    let error = OptionError::new("connector", format!("unknown connector '{name}'"));
    Err(vec![
        match crate::catalog::closest(name, NAMES.iter().copied()) {
            Some(near) => error.with_help(format!("did you mean '{near}'?")),
            None => error.with_help(format!("the connectors are: {}", NAMES.join(", "))),
        },
    ])
}

/// Reads `sink.parallelism`: whether all rows go through one writer. Other numbers than 1 are the job's to choose.
fn single_writer(
    options: &crate::catalog::options::Options,
) -> std::result::Result<bool, OptionError> {
    let writers = options.parse(SINK_PARALLELISM, None, "a number above 0", |text| {
        text.parse().ok().filter(|n: &u32| *n > 0).map(Some)
    })?;
    Ok(writers == Some(1))
}

/// Row numbers as Arrow wants them to take rows by.
fn row_indices(rows: impl Iterator<Item = usize>) -> UInt32Array {
    // A batch has far fewer rows than 2^32; a number that does not fit would be refused by `take` as out of range.
    UInt32Array::from_iter_values(rows.map(|row| u32::try_from(row).unwrap_or(u32::MAX)))
}

fn checked<T: ?Sized>(
    made: std::result::Result<Arc<T>, OptionError>,
    options: &crate::catalog::options::Options,
) -> std::result::Result<Arc<T>, Vec<OptionError>> {
    // The session reads them.
    for key in BAD_ROWS_OPTIONS {
        options.get(key);
    }
    let made = made.and_then(|made| without_effect::read(options).map(|()| made));
    match made {
        Ok(made) => {
            let unknown = options.finish();
            if unknown.is_empty() {
                Ok(made)
            } else {
                Err(unknown)
            }
        }
        // Keys read so far are known; the others may only seem unknown because reading stopped early.
        Err(error) => Err(vec![error]),
    }
}

/// A sink that keeps nothing: of a table that is only passed on in process.
pub fn discard(mode: SinkMode) -> Arc<dyn Sink> {
    blackhole::discard(mode)
}
