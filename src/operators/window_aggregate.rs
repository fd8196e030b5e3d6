//! The second phase of a window aggregation: one result per key and window when the watermark passes the window.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take, take_record_batch};

use super::aggregator::Aggregator;
use super::late::{LateRows, Reason};
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::Aggregate;
use crate::state::{Arrivals, StatePart};
use crate::time::{Millis, Watermark};

/// The state of a window is given anew as a whole once snapshots hold so many rows of it, and twice as many as it has.
const ROWS_BEFORE_COMPACTION: usize = if cfg!(test) { 4 } else { 1024 };

/// Merges partial results per window and emits each window once.
pub struct WindowAggregate {
    // Properties.
    aggregate: Arc<Aggregate>,
    start: usize,
    end: usize,
    // State: open windows by (end, start).
    windows: BTreeMap<(Millis, Millis), Window>,
    arrivals: Arrivals,
    watermark: Millis,
    metrics: Arc<Metrics>,
}

/// An open window.
struct Window {
    merged: Aggregator,
    /// What came since the last snapshot: its partial results are what the next one gives.
    fresh: Option<Aggregator>,
    /// Keys and numbers of the partial results that snapshots hold.
    given: Vec<(RecordBatch, Int64Array)>,
}

impl Window {
    fn new(aggregate: &Arc<Aggregate>) -> Result<Self> {
        Ok(Self {
            merged: Aggregator::new(Arc::clone(aggregate))?,
            fresh: None,
            given: Vec::new(),
        })
    }

    /// Where to merge what comes; `is_apart`: apart from what snapshots hold.
    fn open(&mut self, aggregate: &Arc<Aggregate>, is_apart: bool) -> Result<&mut Aggregator> {
        if !is_apart {
            return Ok(&mut self.merged);
        }
        Ok(match &mut self.fresh {
            Some(fresh) => fresh,
            none => none.insert(Aggregator::new(Arc::clone(aggregate))?),
        })
    }

    /// Partial results that the next snapshot gives.
    fn take_new(
        &mut self,
        aggregate: &Arc<Aggregate>,
        arrivals: &mut Arrivals,
    ) -> Result<(RecordBatch, Int64Array)> {
        let mut rows = RecordBatch::new_empty(Arc::clone(&aggregate.partial_schema));
        if let Some(mut fresh) = self.fresh.take() {
            rows = fresh.take_partials()?;
            self.merged.merge(&rows)?;
        }
        let given: usize = self.given.iter().map(|(keys, _)| keys.num_rows()).sum();
        let most = ROWS_BEFORE_COMPACTION.max(2 * self.merged.len());
        if !arrivals.is_on() || given + rows.num_rows() > most {
            self.forget(arrivals)?;
            // Taking partial results empties the accumulators: put them back at once.
            rows = self.merged.take_partials()?;
            self.merged = Aggregator::new(Arc::clone(aggregate))?;
            self.merged.merge(&rows)?;
        }
        let numbers = Int64Array::from_iter_values(arrivals.come(rows.num_rows()));
        if rows.num_rows() > 0 {
            self.given
                .push((rows.project(&aggregate.key)?, numbers.clone()));
        }
        Ok((rows, numbers))
    }

    /// What snapshots hold is no longer there.
    fn forget(&mut self, arrivals: &mut Arrivals) -> Result<()> {
        let mut given = self.given.drain(..);
        given.try_for_each(|(keys, numbers)| arrivals.go(&keys, &numbers))
    }
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
            arrivals: Arrivals::default(),
            watermark: Millis::MIN,
            metrics,
        })
    }

    /// The rows of each window.
    fn by_window(&self, partials: &RecordBatch) -> Result<BTreeMap<(Millis, Millis), Vec<u32>>> {
        let starts = event_times(partials.column(self.start))?;
        let ends = event_times(partials.column(self.end))?;
        let mut by_window: BTreeMap<(Millis, Millis), Vec<u32>> = BTreeMap::new();
        for i in 0..partials.num_rows() {
            let window = (ends.value(i), starts.value(i));
            by_window.entry(window).or_default().push(i as u32);
        }
        Ok(by_window)
    }

    fn window(&mut self, window: (Millis, Millis)) -> Result<&mut Window> {
        Ok(match self.windows.entry(window) {
            Entry::Occupied(o) => o.into_mut(),
            Entry::Vacant(v) => v.insert(Window::new(&self.aggregate)?),
        })
    }

    fn merge(&mut self, partials: &RecordBatch) -> Result<LateRows> {
        let by_window = self.by_window(partials)?;
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
            let is_on = self.arrivals.is_on();
            let aggregate = Arc::clone(&self.aggregate);
            let aggregator = self.window(window)?.open(&aggregate, is_on)?;
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
                let mut window = entry.remove();
                window.forget(&mut self.arrivals)?;
                if let Some(mut fresh) = window.fresh {
                    window.merged.merge(&fresh.take_partials()?)?;
                }
                out.batch(Batch::append(window.merged.take_results()?));
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    /// A part "windows": partial results, of which there may be several of a group, and `__number`.
    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        for window in self.windows.values_mut() {
            let new = window.take_new(&self.aggregate, &mut self.arrivals)?;
            rows.push(new.0);
            numbers.extend_from_slice(new.1.values());
        }
        let rows = concat_batches(&self.aggregate.partial_schema, &rows)?;
        let key = &self.aggregate.key;
        let part = self.arrivals.part("windows", &rows, numbers.into(), key)?;
        Ok(vec![part])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let (partials, numbers) = self.arrivals.restore(&part)?;
            for (window, rows) in self.by_window(&partials)? {
                let rows = UInt32Array::from(rows);
                let partials = take_record_batch(&partials, &rows)?;
                let numbers = take(&numbers, &rows, None)?.as_primitive().clone();
                let keys = partials.project(&self.aggregate.key)?;
                let window = self.window(window)?;
                window.merged.merge(&partials)?;
                window.given.push((keys, numbers));
            }
        }
        self.arrivals.restored();
        Ok(())
    }
}
