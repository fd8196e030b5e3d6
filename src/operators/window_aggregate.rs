//! The second phase of a window aggregation: one result per key and window when the watermark passes the window.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};

use super::aggregator::Aggregator;
use super::late::{LateRows, Reason};
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::Aggregate;
use crate::state::StatePart;
use crate::time::{Millis, Watermark};

/// Merges partial results per window and emits each window once.
pub struct WindowAggregate {
    // Properties.
    aggregate: Arc<Aggregate>,
    start: usize,
    end: usize,
    // State: open windows by (end, start).
    windows: BTreeMap<(Millis, Millis), Aggregator>,
    watermark: Millis,
    metrics: Arc<Metrics>,
}

impl WindowAggregate {
    /// No windows yet.
    ///
    /// # Errors
    /// Where the aggregate has no window columns.
    pub fn new(aggregate: Arc<Aggregate>, metrics: Arc<Metrics>) -> Result<Self> {
        let (start, end) = aggregate.window.ok_or_else(|| {
            crate::error::Error::internal("a window aggregate without window columns")
        })?;
        Ok(Self {
            aggregate,
            start,
            end,
            windows: BTreeMap::new(),
            watermark: Millis::MIN,
            metrics,
        })
    }

    fn merge(&mut self, partials: &RecordBatch) -> Result<LateRows> {
        let starts = event_times(partials.column(self.start))?;
        let ends = event_times(partials.column(self.end))?;
        let mut by_window: BTreeMap<(Millis, Millis), Vec<u32>> = BTreeMap::new();
        for i in 0..partials.num_rows() {
            let window = (ends.value(i), starts.value(i));
            by_window.entry(window).or_default().push(i as u32);
        }
        let mut late = LateRows::default();
        let only = by_window.len() == 1;
        for (window, rows) in by_window {
            if window.0 - 1 <= self.watermark {
                // Only rows of a partition that was idle while the others went on can come here.
                for row in rows {
                    late.add(row as usize, self.watermark, Reason::Window(window.0));
                }
                continue;
            }
            let aggregator = match self.windows.entry(window) {
                std::collections::btree_map::Entry::Occupied(o) => o.into_mut(),
                std::collections::btree_map::Entry::Vacant(v) => {
                    v.insert(Aggregator::new(Arc::clone(&self.aggregate))?)
                }
            };
            if only {
                aggregator.merge(partials)?;
            } else {
                aggregator.merge(&take_record_batch(partials, &UInt32Array::from(rows))?)?;
            }
        }
        Ok(late)
    }
}

impl Operator for WindowAggregate {
    fn on_batch(&mut self, _port: usize, mut batch: Batch, out: &mut Output) -> Result<()> {
        let late = self.merge(&batch.rows)?;
        if late.is_empty() {
            return Ok(());
        }
        // Of a partial result only the grouping columns say anything.
        let grouping: Vec<usize> = (0..self.aggregate.group.len()).collect();
        batch.rows = batch.rows.project(&grouping)?;
        late.hand_out("GlobalWindowAggregate", &batch, &self.metrics, out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.watermark = t;
            while let Some(entry) = self.windows.first_entry() {
                if entry.key().0 - 1 > t {
                    break;
                }
                out.batch(Batch::append(entry.remove().take_results()?));
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let mut all = Vec::with_capacity(self.windows.len());
        for aggregator in self.windows.values_mut() {
            // Taking partial results empties the accumulators: put them back at once.
            let rows = aggregator.take_partials()?;
            *aggregator = Aggregator::new(Arc::clone(&self.aggregate))?;
            aggregator.merge(&rows)?;
            all.push(rows);
        }
        let rows = concat_batches(&self.aggregate.partial_schema, &all)?;
        Ok(vec![StatePart::keyed(
            "windows",
            rows,
            &self.aggregate.key,
        )?])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            self.merge(&part.rows)?;
        }
        Ok(())
    }
}
