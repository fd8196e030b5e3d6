//! Puts rows in the order of a time column, each once the watermark says that no earlier one can come.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use super::late::{LateRows, Reason, too_late};
use super::sort_order::sorter;
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::SortColumn;
use crate::state::StatePart;
use crate::time::{Millis, Watermark};

/// Holds rows until they are complete, then emits them sorted.
pub struct EventTimeSort {
    column: usize,
    complete_after: Option<Millis>,
    then: Vec<SortColumn>,
    drops_late: bool,
    schema: SchemaRef,
    held: Vec<RecordBatch>,
    metrics: Arc<Metrics>,
}

impl EventTimeSort {
    /// By `column`; a row is complete once the watermark is at or past its value plus `complete_after`, or with the next
    /// watermark where there is no such bound. Rows of the same time are ordered by `then`, else by arrival. `drops_late`:
    /// whether rows at or behind their watermark are left out (ORDER BY) or not (a table passed on in process).
    pub fn new(
        column: usize,
        complete_after: Option<Millis>,
        then: Vec<SortColumn>,
        drops_late: bool,
        schema: SchemaRef,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            column,
            complete_after,
            then,
            drops_late,
            schema,
            held: Vec::new(),
            metrics,
        }
    }

    fn release(&mut self, up_to: Option<Millis>, out: &mut Output) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let rows = concat_batches(&self.schema, &self.held)?;
        self.held.clear();
        let times = event_times(rows.column(self.column))?;
        // Nulls first: they fail where the time is needed, as they would have unsorted.
        let time = |i: u32| times.is_valid(i as usize).then(|| times.value(i as usize));
        let complete = |i: &u32| match (up_to, time(*i)) {
            (Some(limit), Some(t)) => t <= limit,
            _ => true,
        };
        let (mut ready, held): (Vec<u32>, Vec<u32>) =
            (0..rows.num_rows() as u32).partition(complete);
        if self.then.is_empty() {
            ready.sort_by_key(|i| time(*i));
        } else {
            let columns: Vec<ArrayRef> = self
                .then
                .iter()
                .map(|c| rows.column(c.column).clone())
                .collect();
            let order = sorter(&self.then, &self.schema)?.convert_columns(&columns)?;
            ready.sort_by_key(|i| (time(*i), order.row(*i as usize)));
        }
        let batch = Batch::append(rows);
        if !held.is_empty() {
            self.held.push(batch.take(&UInt32Array::from(held))?.rows);
        }
        out.batch(batch.take(&UInt32Array::from(ready))?);
        Ok(())
    }
}

impl Operator for EventTimeSort {
    fn on_batch(&mut self, _port: usize, mut batch: Batch, out: &mut Output) -> Result<()> {
        if self.drops_late && batch.behind.is_some() {
            let times = event_times(batch.rows.column(self.column))?;
            let mut late = LateRows::default();
            let mut keep = Vec::with_capacity(batch.num_rows());
            for i in 0..batch.num_rows() {
                let time = times.is_valid(i).then(|| times.value(i));
                let watermark = time.and_then(|t| too_late(t, batch.behind(i), Millis::MIN));
                keep.push(watermark.is_none());
                if let (Some(time), Some(watermark)) = (time, watermark) {
                    late.add(i, watermark, Reason::Time(time));
                }
            }
            if !late.is_empty() {
                late.hand_out("EventTimeSort", &batch, &self.metrics, out)?;
                batch = batch.filter(&BooleanArray::from(keep))?;
            }
        }
        if batch.num_rows() > 0 {
            self.held.push(batch.rows);
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.release(self.complete_after.map(|c| t.saturating_sub(c)), out)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn on_end(&mut self, out: &mut Output) -> Result<()> {
        self.release(None, out)
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let rows = concat_batches(&self.schema, &self.held)?;
        Ok(vec![StatePart::unkeyed("rows", rows)])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let rows = parts.into_iter().map(|p| p.rows);
        self.held.extend(rows.filter(|rows| rows.num_rows() > 0));
        Ok(())
    }
}
