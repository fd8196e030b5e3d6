//! Puts rows in the order of a time column, each once the watermark says that no earlier one can come.

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use super::{Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::Result;
use crate::state::StatePart;
use crate::time::{Millis, Watermark};

/// Holds rows until they are complete, then emits them sorted.
pub struct EventTimeSort {
    column: usize,
    complete_after: Option<Millis>,
    schema: SchemaRef,
    held: Vec<RecordBatch>,
}

impl EventTimeSort {
    /// By `column`; a row is complete once the watermark is at or past its value plus `complete_after`, or with the next
    /// watermark where there is no such bound.
    pub fn new(column: usize, complete_after: Option<Millis>, schema: SchemaRef) -> Self {
        Self {
            column,
            complete_after,
            schema,
            held: Vec::new(),
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
        ready.sort_by_key(|i| time(*i));
        let batch = Batch::append(rows);
        if !held.is_empty() {
            self.held.push(batch.take(&UInt32Array::from(held))?.rows);
        }
        out.batch(batch.take(&UInt32Array::from(ready))?);
        Ok(())
    }
}

impl Operator for EventTimeSort {
    fn on_batch(&mut self, _port: usize, batch: Batch, _out: &mut Output) -> Result<()> {
        self.held.push(batch.rows);
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
        Ok(self
            .held
            .iter()
            .map(|rows| StatePart::unkeyed("rows", rows.clone()))
            .collect())
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.held.extend(parts.into_iter().map(|p| p.rows));
        Ok(())
    }
}
