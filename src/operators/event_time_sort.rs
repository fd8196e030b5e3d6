//! Puts rows in the order of a time column, each once the watermark says that no earlier one can come.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::datatypes::SchemaRef;

use super::held_rows::HeldRows;
use super::late::{LateRows, Reason, too_late};
use super::{Element, Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::SortColumn;
use crate::state::{StatePart, TableSnapshot};
use crate::time::{Millis, Watermark};

/// Holds rows until they are complete, then emits them sorted. One whose time is NULL goes on with the next watermark: it fails
/// where the time is needed, as it would unsorted.
pub struct EventTimeSort {
    column: usize,
    complete_after: Option<Millis>,
    drops_late: bool,
    rows: HeldRows,
    metrics: Arc<Metrics>,
}

impl EventTimeSort {
    /// By `column`; a row is complete once the watermark is at or past its value plus `complete_after`, or with the next
    /// watermark where there is no such bound. Rows of the same time are ordered by `then`, else by arrival. `drops_late`:
    /// whether rows at or behind their watermark are left out (ORDER BY) or not (a table passed on in process).
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        column: usize,
        complete_after: Option<Millis>,
        then: Vec<SortColumn>,
        drops_late: bool,
        schema: &SchemaRef,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        Ok(Self {
            column,
            complete_after,
            drops_late,
            rows: HeldRows::new("rows", schema, column, &[], then)?,
            metrics,
        })
    }

    /// Emits about a batch of rows; returns whether there are more.
    fn release(&mut self, up_to: Option<Millis>, out: &mut Output) -> Result<bool> {
        let (rows, has_more) = self.rows.release(up_to)?;
        out.batch(Batch::append(rows));
        Ok(has_more)
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
        self.rows.hold(&batch.rows)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            let complete = self.complete_after.map(|c| t.saturating_sub(c));
            if self.release(complete, out)? {
                out.rest = Some(Element::Watermark(watermark));
                return Ok(());
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn on_end(&mut self, out: &mut Output) -> Result<()> {
        if self.release(None, out)? {
            out.rest = Some(Element::End);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.rows.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.rows.restore(&parts)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn rows_of_one_time_are_in_order_by_arrival_after_a_restore_too() {
        let input = schema(&["k", "t"]);
        let make =
            || EventTimeSort::new(1, Some(0), vec![], false, &input, Arc::default()).unwrap();
        let mut op = make();
        let numbers = |rows: &[[i64; 2]]| {
            let row = |[k, t]: &[i64; 2]| vec![Some(*k), (*t != NULL).then_some(*t)];
            let rows: Vec<Numbers> = rows.iter().map(row).collect();
            Batch::append(record_batch(&input, &rows))
        };
        feed(&mut op, 0, numbers(&[[1, 20], [2, 10], [3, 10]]));
        assert_eq!(advance(&mut op, 10), [(vec![2, 10], 1), (vec![3, 10], 1)]);
        // They take the places of those that went.
        feed(&mut op, 0, numbers(&[[4, 20], [5, 20], [6, NULL], [7, 30]]));
        let mut other = make();
        other.restore(taken(&mut op)).unwrap();
        for op in [&mut op, &mut other] {
            let sorted = [vec![6, NULL], vec![1, 20], vec![4, 20], vec![5, 20]];
            assert_eq!(advance(op, 20), sorted.map(|row| (row, 1)));
            let mut out = Output::default();
            op.on_end(&mut out).unwrap();
            let rest = batches(&out).next().unwrap();
            assert_eq!(super::super::testing::numbers(rest).len(), 1);
            assert!(op.rows.is_empty());
        }
    }
}
