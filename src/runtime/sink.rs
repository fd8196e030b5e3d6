//! The tail of a task that ends in a sink: NOT NULL enforced, rows counted, held while an epoch is committed, then the
//! connector's writer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, BooleanArray};

use crate::changelog::Batch;
use crate::connectors::SinkWriter;
use crate::error::{Error, Result};
use crate::graph::Sink;

/// Batches that are held at most while an epoch is committed; then its task waits.
const HELD: usize = 64;

/// Writes the rows of one instance.
pub struct SinkTail {
    writer: Box<dyn SinkWriter>,
    /// Its rows become visible epoch by epoch.
    commits: bool,
    /// The epoch that was prepared and is not committed yet. What comes meanwhile belongs to the next one.
    waits_for: Option<u64>,
    /// It was given rows that were not prepared yet.
    is_dirty: bool,
    held: VecDeque<Batch>,
    /// NOT NULL columns and their names.
    not_null: Vec<(usize, String)>,
    drops_nulls: bool,
    name: String,
    rows: Arc<AtomicU64>,
}

impl SinkTail {
    /// For one instance of a sink node.
    pub fn new(
        writer: Box<dyn SinkWriter>,
        commits: bool,
        sink: &Sink,
        rows: Arc<AtomicU64>,
    ) -> Self {
        let schema = sink.table.sink_schema();
        let not_null = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, f)| !f.is_nullable())
            .map(|(i, f)| (i, f.name().clone()))
            .collect();
        Self {
            writer,
            commits,
            waits_for: None,
            is_dirty: false,
            held: VecDeque::new(),
            not_null,
            drops_nulls: sink.drops_nulls,
            name: sink.name.clone(),
            rows,
        }
    }

    /// Takes rows.
    ///
    /// # Errors
    /// NULL in a NOT NULL column (Flink: `table.exec.sink.not-null-enforcer` = ERROR), or as the writer's.
    pub async fn write(&mut self, mut batch: Batch) -> Result<()> {
        for (column, name) in &self.not_null {
            let values = batch.rows.column(*column);
            if values.null_count() == 0 {
                continue;
            }
            if !self.drops_nulls {
                return Err(Error::data(format!(
                    "Column '{name}' is NOT NULL, however, a null value is being written into it (table '{}')",
                    self.name
                ))
                .with_help("You can set 'table.exec.sink.not-null-enforcer'='DROP' to leave such rows out"));
            }
            let keep: BooleanArray = (0..values.len())
                .map(|i| Some(values.is_valid(i)))
                .collect();
            batch = batch.filter(&keep)?;
        }
        self.rows
            .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        self.is_dirty = true;
        if self.waits_for.is_some() {
            self.held.push_back(batch);
            return Ok(());
        }
        self.writer.write(&batch).await
    }

    /// The watermark has come to `time`.
    pub fn watermark(&mut self, time: i64) {
        self.writer.watermark(time);
    }

    /// A barrier: what was taken so far belongs to `epoch`. Returns what was prepared.
    ///
    /// # Errors
    /// As the writer's.
    pub async fn prepare(&mut self, epoch: u64) -> Result<Option<String>> {
        let prepared = self.writer.prepare(epoch).await?;
        self.waits_for = self.commits.then_some(epoch);
        self.is_dirty = false;
        Ok(prepared)
    }

    /// The epoch whose commit it waits for.
    pub fn waits_for(&self) -> Option<u64> {
        self.waits_for
    }

    /// Whether all rows it was given are committed.
    pub fn is_clean(&self) -> bool {
        !self.is_dirty && self.waits_for.is_none()
    }

    /// Whether its task must wait for the commit before it goes on.
    pub fn is_full(&self) -> bool {
        self.held.len() >= HELD
    }

    /// Whether its rows become visible epoch by epoch.
    pub fn commits(&self) -> bool {
        self.commits
    }

    /// The epoch it waited for is committed: what was held is written.
    ///
    /// # Errors
    /// As the writer's.
    pub async fn on_commit(&mut self) -> Result<()> {
        self.waits_for = None;
        while let Some(batch) = self.held.pop_front() {
            self.writer.write(&batch).await?;
        }
        Ok(())
    }

    /// Flushes and ends the writer.
    ///
    /// # Errors
    /// As the writer's.
    pub async fn close(&mut self) -> Result<()> {
        self.writer.close().await
    }
}
