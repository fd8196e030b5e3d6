//! Aggregation per key and window: one result when the watermark passes the window.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::filter;
use arrow::datatypes::Schema;

use super::groups::Groups;
use super::late::{LateRows, Reason, too_late};
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::{Aggregate, AggregateInput};
use crate::state::{Slot, StatePart};
use crate::time::{Millis, Watermark};

/// Results are emitted in batches of at most so many rows.
const MAX_ROWS: usize = 8192;

/// Groups of open windows.
pub struct WindowAggregate {
    // Properties.
    aggregate: Arc<Aggregate>,
    /// The position of window_end among the grouping columns.
    end: usize,
    // State.
    groups: Groups,
    /// The groups by window end.
    windows: BTreeMap<Millis, Vec<Slot>>,
    watermark: Millis,
    metrics: Arc<Metrics>,
}

impl WindowAggregate {
    /// No windows yet; `input`: the rows that come.
    ///
    /// # Errors
    /// Where the aggregate has no window columns, a column type cannot be kept as state, or a function is not supported.
    pub fn new(aggregate: Arc<Aggregate>, input: &Schema, metrics: Arc<Metrics>) -> Result<Self> {
        let (_, end) = aggregate.window.ok_or_else(|| {
            crate::error::Error::internal("a window aggregate without window columns")
        })?;
        Ok(Self {
            groups: Groups::new(Arc::clone(&aggregate), input)?,
            aggregate,
            end,
            windows: BTreeMap::new(),
            watermark: Millis::MIN,
            metrics,
        })
    }

    /// Leaves out the rows that are late for their window (Flink: it had fired, its last millisecond was at or before the row's
    /// watermark).
    fn in_time(
        &self,
        batch: Batch,
        keys: Vec<ArrayRef>,
        out: &mut Output,
    ) -> Result<(Batch, Vec<ArrayRef>)> {
        let mut late = LateRows::default();
        let mut keep = Vec::with_capacity(batch.num_rows());
        for (i, end) in event_times(&keys[self.end])?.values().iter().enumerate() {
            let watermark = too_late(end - 1, batch.behind(i), self.watermark);
            keep.push(watermark.is_none());
            if let Some(watermark) = watermark {
                late.add(i, watermark, Reason::Window(*end));
            }
        }
        if late.is_empty() {
            return Ok((batch, keys));
        }
        if self.aggregate.input == AggregateInput::Partials {
            // Of a partial result only the grouping columns say anything.
            let grouping: Vec<usize> = (0..keys.len()).collect();
            let shown = batch.with_rows(batch.rows.project(&grouping)?);
            late.hand_out("GlobalWindowAggregate", &shown, &self.metrics, out)?;
        } else {
            late.hand_out("WindowAggregate", &batch, &self.metrics, out)?;
        }
        let keep = BooleanArray::from(keep);
        let keys = keys.iter().map(|k| Ok(filter(k, &keep)?));
        Ok((batch.filter(&keep)?, keys.collect::<Result<_>>()?))
    }

    fn open(&mut self, slots: &[Slot]) -> Result<()> {
        let ends = event_times(&self.groups.keys(slots)?[self.end])?;
        for (end, slot) in ends.values().iter().zip(slots) {
            self.windows.entry(*end).or_default().push(*slot);
        }
        Ok(())
    }
}

impl Operator for WindowAggregate {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let keys = self.groups.keys_of(&batch.rows)?;
        let (batch, keys) = self.in_time(batch, keys, out)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let new = self.groups.apply(&batch, &keys)?;
        self.open(&new)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.watermark = t;
            while let Some(window) = self.windows.first_entry()
                && window.key() - 1 <= t
            {
                for slots in window.remove().chunks(MAX_ROWS) {
                    out.batch(Batch::append(self.groups.results(slots)?.rows));
                    for slot in slots {
                        self.groups.remove(*slot)?;
                    }
                }
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        self.groups.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let slots = self.groups.restore(&parts)?;
        self.open(&slots)
    }
}
