//! The tail of a task that ends in a sink: NOT NULL enforced, rows counted, and held while an epoch is committed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, BooleanArray};

use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::Sink;

/// Batches that are held at most while an epoch is committed; then its task waits.
const HELD: usize = 64;

/// What stands before the writer of one instance.
pub struct SinkTail {
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
    pub fn new(commits: bool, sink: &Sink, rows: Arc<AtomicU64>) -> Self {
        let schema = sink.table.sink_schema();
        let not_null = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, f)| !f.is_nullable())
            .map(|(i, f)| (i, f.name().clone()))
            .collect();
        Self {
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

    /// Takes rows; returns those that may be written now.
    ///
    /// # Errors
    /// NULL in a NOT NULL column (Flink: `table.exec.sink.not-null-enforcer` = ERROR).
    pub fn write(&mut self, mut batch: Batch) -> Result<Option<Batch>> {
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
            return Ok(None);
        }
        Ok(Some(batch))
    }

    /// A barrier: what was taken so far belongs to `epoch`, which the writer is to prepare now.
    ///
    /// # Errors
    /// Rows of it were held back (a bug): they would be counted as the next epoch's.
    pub fn prepare(&mut self, epoch: u64) -> Result<()> {
        if let Some(earlier) = self.waits_for {
            return Err(Error::internal(format!(
                "epoch {epoch} of table '{}' ends before {earlier} is committed",
                self.name
            )));
        }
        self.waits_for = self.commits.then_some(epoch);
        self.is_dirty = false;
        Ok(())
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

    /// The epoch it waited for is committed: returns what was held, to be written.
    pub fn on_commit(&mut self) -> impl Iterator<Item = Batch> {
        self.waits_for = None;
        self.held.drain(..)
    }
}
