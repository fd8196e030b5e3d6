//! Rows that wait for the watermark to come to their time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::sort_order::SortOrder;
use super::{ROWS_AT_ONCE, event_times};
use crate::changelog::take_rows;
use crate::error::Result;
use crate::graph::SortColumn;
use crate::state::{Slot, StatePart, Table, TableSnapshot, without_numbers};
use crate::time::Millis;

/// When a row arrived, in the state. No column of a query can have such a name.
const NUMBER: &str = "__number";

/// Rows by time.
pub struct HeldRows {
    // Properties.
    time: usize,
    key: Vec<usize>,
    order: SortOrder,
    // State.
    /// By key and number.
    rows: Table,
    /// By time, and of the same time by arrival; NULL comes first.
    by_time: BTreeMap<Option<Millis>, Vec<Slot>>,
    /// The number of the next row to arrive.
    next: i64,
}

impl HeldRows {
    /// None yet. `time`: the column of their time; `key`: those that they are spread by; rows of the same time are put in `order`.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or has no order.
    pub fn new(
        name: &str,
        schema: &SchemaRef,
        time: usize,
        key: &[usize],
        order: Vec<SortColumn>,
    ) -> Result<Self> {
        let mut fields = schema.fields().to_vec();
        let by = [key, &[fields.len()]].concat();
        fields.push(Arc::new(Field::new(NUMBER, DataType::Int64, false)));
        Ok(Self {
            time,
            key: key.to_vec(),
            order: SortOrder::new(&order, schema)?,
            rows: Table::new(name, Arc::new(Schema::new(fields)), &by, key, None)?,
            by_time: BTreeMap::new(),
            next: 0,
        })
    }

    /// Whether there are none.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.by_time.is_empty()
    }

    /// Rows come.
    ///
    /// # Errors
    /// Where the state has no room.
    pub fn hold(&mut self, rows: &RecordBatch) -> Result<()> {
        let n = rows.num_rows();
        let mut keys: Vec<ArrayRef> = self.key.iter().map(|c| rows.column(*c).clone()).collect();
        let numbers = Int64Array::from_iter_values((self.next..).take(n));
        self.next += n as i64;
        keys.push(Arc::new(numbers));
        let keys = self.rows.keys_of(&keys, n)?;
        let mut slots = Vec::with_capacity(n);
        for (i, time) in event_times(rows.column(self.time))?.iter().enumerate() {
            let (slot, _) = self.rows.write(&keys, i)?;
            self.by_time.entry(time).or_default().push(slot);
            slots.push(slot);
        }
        self.rows.set_rows(&slots, rows.columns())
    }

    /// Takes out about a batch of rows up to a time, in order of time; without a time, from all rows. Rows of the same time stay
    /// together. Returns whether there are more.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn release(&mut self, up_to: Option<Millis>) -> Result<(RecordBatch, bool)> {
        let mut slots = Vec::new();
        // Where each time begins.
        let mut times = Vec::new();
        let mut has_more = false;
        while let Some(entry) = self.by_time.first_entry()
            && up_to.is_none_or(|limit| entry.key().is_none_or(|time| time <= limit))
        {
            has_more = slots.len() >= ROWS_AT_ONCE;
            if has_more {
                break;
            }
            times.push(slots.len());
            slots.extend(entry.remove());
        }
        let (rows, _) = without_numbers(&self.rows.rows(&slots)?)?;
        for slot in &slots {
            self.rows.remove(*slot)?;
        }
        if self.order.columns().is_empty() || times.len() == slots.len() {
            return Ok((rows, has_more));
        }
        let order = self.order.keys(&rows)?;
        let mut indices: Vec<u32> = (0..slots.len() as u32).collect();
        times.push(slots.len());
        for time in times.windows(2) {
            indices[time[0]..time[1]]
                .sort_by(|a, b| order.get(*a as usize).cmp(order.get(*b as usize)));
        }
        Ok((take_rows(&rows, &UInt32Array::from(indices))?, has_more))
    }

    /// The state: the rows, and `__number`, in which order they arrived.
    ///
    /// # Errors
    /// Where rows cannot be given as columns (a bug).
    pub fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.rows.snapshot()
    }

    /// Takes state of [`HeldRows::snapshot`].
    ///
    /// # Errors
    /// Where the state is of other rows.
    pub fn restore(&mut self, parts: &[StatePart]) -> Result<()> {
        self.rows.restore_all(parts)?;
        let mut all: Vec<(i64, Slot, Option<Millis>)> = Vec::new();
        for slots in self.rows.pieces() {
            let number = self.rows.width() - 1;
            let columns = self.rows.columns(&[self.time, number], &slots)?;
            let (times, numbers) = (
                event_times(&columns[0])?,
                columns[1].as_primitive::<Int64Type>(),
            );
            let each = numbers.values().iter().zip(slots).zip(&times);
            all.extend(each.map(|((number, slot), time)| (*number, slot, time)));
        }
        all.sort_unstable();
        for (number, slot, time) in all {
            self.by_time.entry(time).or_default().push(slot);
            self.next = self.next.max(number + 1);
        }
        Ok(())
    }
}
