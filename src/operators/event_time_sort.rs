//! Puts rows in the order of a time column, each once the watermark says that no earlier one can come.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::row::RowConverter;

use super::late::{LateRows, Reason, too_late};
use super::sort_order::sorter;
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::{Batch, take_rows};
use crate::error::Result;
use crate::graph::SortColumn;
use crate::state::{Slot, StatePart, Table, without_numbers};
use crate::time::{Millis, Watermark};

/// When a row arrived, in the state. No column of a query can have such a name.
const NUMBER: &str = "__number";

/// Holds rows until they are complete, then emits them sorted.
pub struct EventTimeSort {
    // Properties.
    column: usize,
    complete_after: Option<Millis>,
    then: Vec<SortColumn>,
    sorter: Option<RowConverter>,
    drops_late: bool,
    // State.
    rows: Table,
    /// By time, and of the same time by arrival. NULL comes first: it fails where the time is needed, as it would unsorted.
    by_time: BTreeMap<Option<Millis>, Vec<Slot>>,
    /// The number of the next row to arrive.
    next: i64,
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
        let mut fields = schema.fields().to_vec();
        fields.push(Arc::new(Field::new(NUMBER, DataType::Int64, false)));
        let key = [fields.len() - 1];
        Ok(Self {
            column,
            complete_after,
            sorter: match then.is_empty() {
                true => None,
                false => Some(sorter(&then, schema)?),
            },
            then,
            drops_late,
            rows: Table::new("rows", Arc::new(Schema::new(fields)), &key, &[], None)?,
            by_time: BTreeMap::new(),
            next: 0,
            metrics,
        })
    }

    /// Emits the rows up to a time; `None`: all.
    fn release(&mut self, up_to: Option<Millis>, out: &mut Output) -> Result<()> {
        let mut ready = Vec::new();
        // Where each time begins.
        let mut times = Vec::new();
        while let Some(entry) = self.by_time.first_entry()
            && up_to.is_none_or(|limit| entry.key().is_none_or(|time| time <= limit))
        {
            times.push(ready.len());
            ready.extend(entry.remove());
        }
        if ready.is_empty() {
            return Ok(());
        }
        let (mut rows, _) = without_numbers(&self.rows.rows(&ready)?)?;
        if let Some(sorter) = &self.sorter {
            let columns = self.then.iter().map(|c| Arc::clone(rows.column(c.column)));
            let order = sorter.convert_columns(&columns.collect::<Vec<ArrayRef>>())?;
            let mut indices: Vec<u32> = (0..ready.len() as u32).collect();
            times.push(ready.len());
            for time in times.windows(2) {
                indices[time[0]..time[1]].sort_by_key(|i| order.row(*i as usize));
            }
            rows = take_rows(&rows, &UInt32Array::from(indices))?;
        }
        for slot in ready {
            self.rows.remove(slot)?;
        }
        out.batch(Batch::append(rows));
        Ok(())
    }

    fn hold(&mut self, batch: &Batch) -> Result<()> {
        let n = batch.num_rows();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((self.next..).take(n)));
        let keys = self.rows.keys_of(&[numbers], n)?;
        let times = event_times(batch.rows.column(self.column))?;
        let mut slots = Vec::with_capacity(n);
        for (i, time) in times.iter().enumerate() {
            let (slot, _) = self.rows.write(&keys, i)?;
            self.by_time.entry(time).or_default().push(slot);
            slots.push(slot);
        }
        self.next += n as i64;
        self.rows.set_rows(&slots, batch.rows.columns())
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
        self.hold(&batch)
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

    /// A part "rows": those that are held, and `__number`, in which order they arrived.
    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        self.rows.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.rows.restore_all(&parts)?;
        let slots = self.rows.all();
        let (rows, numbers) = without_numbers(&self.rows.rows(&slots)?)?;
        let times = event_times(rows.column(self.column))?;
        let mut all: Vec<(i64, Slot, Option<Millis>)> = Vec::with_capacity(slots.len());
        for ((slot, number), time) in slots.into_iter().zip(numbers.values()).zip(&times) {
            all.push((*number, slot, time));
        }
        all.sort_unstable();
        self.next = all.last().map_or(0, |(last, ..)| last + 1);
        for (_, slot, time) in all {
            self.by_time.entry(time).or_default().push(slot);
        }
        Ok(())
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
        other.restore(op.snapshot().unwrap()).unwrap();
        for op in [&mut op, &mut other] {
            let sorted = [vec![6, NULL], vec![1, 20], vec![4, 20], vec![5, 20]];
            assert_eq!(advance(op, 20), sorted.map(|row| (row, 1)));
            let mut out = Output::default();
            op.on_end(&mut out).unwrap();
            let rest = batches(&out).next().unwrap();
            assert_eq!(super::super::testing::numbers(rest).len(), 1);
            assert!(op.rows.is_empty() && op.by_time.is_empty());
        }
    }
}
