//! Aggregation per key and window: one result when the watermark passes the window.
//!
//! Where windows overlap, rows come by slices, and [`Slices`] makes windows of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::filter;
use arrow::datatypes::Schema;

use super::groups::Groups;
use super::late::{LateRows, Reason, too_late};
use super::slices::Slices;
use super::{Element, Metrics, Operator, Output, ROWS_AT_ONCE, event_times};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::{Aggregate, AggregateInput};
use crate::state::{Slot, StatePart, TableSnapshot};
use crate::time::{Millis, Watermark, Windows};

/// Groups of open windows.
pub struct WindowAggregate {
    // Properties.
    aggregate: Arc<Aggregate>,
    /// The positions of window_start and window_end among the grouping columns.
    start: usize,
    end: usize,
    // State.
    groups: Groups,
    /// The groups by window end, where they are of windows.
    windows: BTreeMap<Millis, Vec<Slot>>,
    slices: Option<Slices>,
    watermark: Millis,
    metrics: Arc<Metrics>,
}

impl WindowAggregate {
    /// No windows yet; `input`: the rows that come.
    ///
    /// # Errors
    /// Where the aggregate has no window columns, a column type cannot be kept as state, or a function is not supported.
    pub fn new(aggregate: Arc<Aggregate>, input: &Schema, metrics: Arc<Metrics>) -> Result<Self> {
        let (start, end) = aggregate.window.ok_or_else(|| {
            crate::error::Error::internal("a window aggregate without window columns")
        })?;
        let slices = aggregate.slices.as_ref();
        let slices = slices.map(|slicing| Slices::new(&aggregate, slicing));
        Ok(Self {
            groups: Groups::new(Arc::clone(&aggregate), input)?,
            slices: slices.transpose()?,
            aggregate,
            start,
            end,
            windows: BTreeMap::new(),
            watermark: Millis::MIN,
            metrics,
        })
    }

    /// A slice that comes when windows with it have fired is added to each of the others by itself.
    fn for_windows(&self, batch: Batch) -> Result<Batch> {
        let Some(slices) = &self.slices else {
            return Ok(batch);
        };
        let keys = self.groups.keys_of(&batch.rows)?;
        let (mut rows, mut stretches) = (Vec::new(), Vec::new());
        let mut is_late = false;
        for (i, stretch) in self.stretches(&keys)?.into_iter().enumerate() {
            let mut add = |start, end| {
                rows.push(i as u32);
                stretches.push((start, end));
            };
            if slices.is_slice(stretch) && stretch.1 - 1 <= self.watermark {
                is_late = true;
                slices.windows_of(stretch, add);
            } else {
                add(stretch.0, stretch.1);
            }
        }
        if !is_late {
            return Ok(batch);
        }
        let batch = batch.take(&UInt32Array::from(rows))?;
        let rows = slices.moved(&batch.rows, &stretches)?;
        Ok(batch.with_rows(rows))
    }

    fn stretches(&self, keys: &[ArrayRef]) -> Result<Vec<Windows>> {
        let (starts, ends) = (
            event_times(&keys[self.start])?,
            event_times(&keys[self.end])?,
        );
        let all = starts.values().iter().zip(ends.values());
        Ok(all.map(|(start, end)| (*start, *end)).collect())
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
        for slots in slots.chunks(ROWS_AT_ONCE) {
            let stretches = self.stretches(&self.groups.keys(slots)?)?;
            for (stretch, slot) in stretches.into_iter().zip(slots) {
                match &mut self.slices {
                    Some(slices) => slices.add(*slot, stretch),
                    None => self.windows.entry(stretch.1).or_default().push(*slot),
                }
            }
        }
        Ok(())
    }

    /// Emits the windows that are over, about a batch of rows; returns whether there are more.
    fn fire(&mut self, out: &mut Output) -> Result<bool> {
        if let Some(slices) = &mut self.slices {
            return slices.fire(&mut self.groups, self.watermark, Some(out));
        }
        let mut emitted = 0;
        while let Some(mut window) = self.windows.first_entry()
            && window.key() - 1 <= self.watermark
        {
            if emitted >= ROWS_AT_ONCE {
                return Ok(true);
            }
            let slots = window.get_mut();
            let slots = slots.split_off(slots.len().saturating_sub(ROWS_AT_ONCE));
            if window.get().is_empty() {
                window.remove();
            }
            emitted += slots.len();
            out.batch(Batch::append(self.groups.results(&slots)?.rows));
            for slot in slots {
                self.groups.remove(slot)?;
            }
        }
        Ok(false)
    }
}

impl Operator for WindowAggregate {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let batch = self.for_windows(batch)?;
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
            if self.fire(out)? {
                out.rest = Some(Element::Watermark(watermark));
                return Ok(());
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn restored_at(&mut self, watermark: Millis) -> Result<()> {
        self.watermark = watermark;
        if let Some(slices) = &mut self.slices {
            // These windows have fired; what they leave is made anew.
            while slices.fire(&mut self.groups, watermark, None)? {}
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.groups.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let slots = self.groups.restore(&parts)?;
        self.open(&slots)
    }
}
