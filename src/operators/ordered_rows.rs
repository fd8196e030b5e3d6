//! Rows by partition, in order: the state of ranks, and of OVER over rows that come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::sort_order::{SortKeys, SortOrder};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::SortColumn;
use crate::state::{Keys, Slot, StatePart, StateTtl, Table, TableSnapshot};

/// What rows are compared by. Those of two numbers are kept in place.
pub type SortKey = SmallVec<[u8; 23]>;

/// Where a row stands in its partition: its sort key, then the number of its arrival, negative where the last comes first.
pub type Place = (SortKey, i64);

/// When a row arrived, in the state. No column of a query can have such a name.
const NUMBER: &str = "__number";

/// The rows of one partition in order.
#[derive(Default)]
pub struct List {
    /// All rows.
    pub rows: BTreeMap<Place, Slot>,
    /// The places of equal rows by the numbers of their arrival; kept where rows may go.
    arrivals: HashMap<Box<[u8]>, BTreeSet<i64>>,
}

/// The rows of all partitions.
pub struct OrderedRows {
    // Properties.
    /// The columns of the input that partitions are by.
    partition: Vec<usize>,
    /// How rows of a partition are ordered.
    pub order: SortOrder,
    /// Which rows are equal; `None` where rows only come.
    values: Option<SortOrder>,
    last_first: bool,
    /// Number of columns of the input.
    width: usize,
    // State.
    /// The keys of the partitions.
    pub partitions: Table,
    /// By partition and number of arrival: the columns of the input, the number, and others.
    pub rows: Table,
    lists: Vec<List>,
    /// The number of the next row to arrive.
    next: i64,
}

/// A batch that is being applied.
pub struct Incoming {
    /// The partition of each row.
    pub partitions: Keys,
    orders: SortKeys,
    values: Option<SortKeys>,
    /// The rows that come, each as often as it does.
    pub coming: UInt32Array,
    /// The numbers of those.
    pub numbers: ArrayRef,
    first: i64,
    /// What they are found by.
    keys: Keys,
}

impl Incoming {
    /// The sort key of a row.
    pub fn order(&self, row: usize) -> &[u8] {
        self.orders.get(row)
    }
}

impl OrderedRows {
    /// None yet. `retracts`: rows may go; `more`: columns that rows have after those of the input.
    ///
    /// # Errors
    /// Where a column type has no order or cannot be kept as state.
    pub fn new(
        input: &SchemaRef,
        partition: &[usize],
        order: &[SortColumn],
        last_first: bool,
        retracts: bool,
        more: &[FieldRef],
        ttl: Option<StateTtl>,
    ) -> Result<Self> {
        let width = input.fields().len();
        let mut fields = input.fields().to_vec();
        fields.push(Arc::new(Field::new(NUMBER, DataType::Int64, false)));
        fields.extend(more.iter().cloned());
        let key = [partition, &[width]].concat();
        let rows = Table::new("rows", Arc::new(Schema::new(fields)), &key, partition, None)?;
        let partitions = Arc::new(input.project(partition)?);
        let all: Vec<usize> = (0..partition.len()).collect();
        let values = retracts.then(|| SortOrder::by_all(input));
        Ok(Self {
            partition: partition.to_vec(),
            order: SortOrder::new(order, input)?,
            values: values.transpose()?,
            last_first,
            width,
            partitions: Table::new("partitions", partitions, &all, &all, ttl)?,
            // Rows are found by their places.
            rows: rows.without_index(),
            lists: Vec::new(),
            next: 0,
        })
    }

    /// The rows of a partition.
    pub fn list(&self, partition: Slot) -> &List {
        &self.lists[partition as usize]
    }

    fn partition_columns(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        let columns = self.partition.iter();
        columns.map(|c| Arc::clone(rows.column(*c))).collect()
    }

    fn values(&self, rows: &RecordBatch) -> Result<Option<SortKeys>> {
        self.values.as_ref().map(|v| v.keys(rows)).transpose()
    }

    /// Numbers the rows that come with a batch.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn incoming(&mut self, batch: &Batch) -> Result<Incoming> {
        let n = batch.num_rows();
        let mut coming = Vec::with_capacity(n);
        for row in 0..n {
            let times = batch.weight(row).max(0) as usize;
            coming.extend(std::iter::repeat_n(row as u32, times));
        }
        let coming = UInt32Array::from(coming);
        let partitions = self.partition_columns(&batch.rows);
        let mut keys = match batch.weights {
            None => partitions.clone(),
            Some(_) => {
                let keys = partitions.iter().map(|c| take(c, &coming, None));
                keys.collect::<std::result::Result<_, _>>()?
            }
        };
        let first = self.next;
        self.next += coming.len() as i64;
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..self.next));
        keys.push(Arc::clone(&numbers));
        Ok(Incoming {
            partitions: self.partitions.keys_of(&partitions, n)?,
            orders: self.order.keys(&batch.rows)?,
            values: self.values(&batch.rows)?,
            keys: self.rows.keys_of(&keys, coming.len())?,
            coming,
            numbers,
            first,
        })
    }

    /// The partition of a row, which counts as written now: the one that was found, or else a new one.
    ///
    /// # Errors
    /// Where the state has no room.
    pub fn partition(&mut self, found: Option<Slot>, batch: &Incoming, row: usize) -> Result<Slot> {
        if let Some(found) = found {
            self.partitions.touch(found);
            return Ok(found);
        }
        let (slot, _) = self.partitions.write(&batch.partitions, row)?;
        let slots = self.partitions.slots();
        self.lists.resize_with(slots, List::default);
        Ok(slot)
    }

    fn place(&self, order: &[u8], number: i64) -> Place {
        let number = if self.last_first { -number } else { number };
        (SortKey::from_slice(order), number)
    }

    /// Where a row that comes will stand; `copy`: which of all that come it is.
    pub fn place_of(&self, batch: &Incoming, row: usize, copy: usize) -> Place {
        self.place(batch.order(row), batch.first + copy as i64)
    }

    /// Adds a row that comes, without its columns.
    ///
    /// # Errors
    /// Where the state has no room.
    pub fn insert(
        &mut self,
        partition: Slot,
        place: Place,
        batch: &Incoming,
        row: usize,
        copy: usize,
    ) -> Result<Slot> {
        let (slot, _) = self.rows.write(&batch.keys, copy)?;
        let value = batch.values.as_ref().map(|values| values.get(row));
        self.lists[partition as usize].insert(place, value, slot);
        Ok(slot)
    }

    /// Where the earliest row stands that is equal to a row.
    pub fn earliest(&self, partition: Slot, batch: &Incoming, row: usize) -> Option<Place> {
        let arrivals = &self.list(partition).arrivals;
        let numbers = arrivals.get(batch.values.as_ref()?.get(row))?;
        let number = match self.last_first {
            true => numbers.last(),
            false => numbers.first(),
        };
        Some((SortKey::from_slice(batch.order(row)), *number?))
    }

    /// Takes out the row at a place that is equal to a row; it stays in the table.
    pub fn remove(
        &mut self,
        partition: Slot,
        place: &Place,
        batch: &Incoming,
        row: usize,
    ) -> Option<Slot> {
        let value = batch.values.as_ref()?.get(row);
        let list = &mut self.lists[partition as usize];
        let numbers = list.arrivals.get_mut(value)?;
        numbers.remove(&place.1);
        if numbers.is_empty() {
            list.arrivals.remove(value);
        }
        list.rows.remove(place)
    }

    /// Takes out the last row of a partition whose rows only come; it stays in the table.
    pub fn pop_last(&mut self, partition: Slot) -> Option<(Place, Slot)> {
        self.lists[partition as usize].rows.pop_last()
    }

    /// Takes out all rows of a partition whose rows only come, from one with this sort key on; they stay in the table.
    pub fn split_off(&mut self, partition: Slot, order: SortKey) -> BTreeMap<Place, Slot> {
        let rows = &mut self.lists[partition as usize].rows;
        rows.split_off(&(order, i64::MIN))
    }

    /// Removes rows that have been taken out, and those of the partitions that have none any more.
    ///
    /// # Errors
    /// Where their keys cannot be remembered.
    pub fn tidy(
        &mut self,
        mut gone: impl Iterator<Item = Slot>,
        partitions: impl Iterator<Item = Slot>,
    ) -> Result<()> {
        gone.try_for_each(|row| self.rows.remove(row))?;
        for partition in partitions {
            if self.list(partition).rows.is_empty() {
                self.partitions.remove(partition)?;
            }
        }
        Ok(())
    }

    /// Removes a partition and its rows.
    ///
    /// # Errors
    /// Where their keys cannot be remembered.
    pub fn forget(&mut self, partition: Slot) -> Result<()> {
        let list = std::mem::take(&mut self.lists[partition as usize]);
        let mut rows = list.rows.into_values();
        rows.try_for_each(|row| self.rows.remove(row))?;
        self.partitions.remove(partition)
    }

    /// The state: "rows", with `__number`, the order of their arrival, and "partitions".
    ///
    /// # Errors
    /// Where rows cannot be given as columns (a bug).
    pub fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut parts = self.rows.snapshot()?;
        parts.extend(self.partitions.snapshot()?);
        Ok(parts)
    }

    /// Takes state of [`OrderedRows::snapshot`].
    ///
    /// # Errors
    /// Where the state is of other rows.
    pub fn restore(&mut self, parts: &[StatePart]) -> Result<()> {
        self.partitions.restore_all(parts)?;
        self.rows.restore_all(parts)?;
        let slots = self.partitions.slots();
        self.lists.resize_with(slots, List::default);
        for slots in self.rows.pieces() {
            let rows = self.rows.rows(&slots)?;
            let owners = self.partition_columns(&rows);
            let owners = self.partitions.find_all(&owners, slots.len())?;
            let (orders, values) = (self.order.keys(&rows)?, self.values(&rows)?);
            let numbers = rows.column(self.width).as_primitive::<Int64Type>();
            for (i, (slot, partition)) in slots.into_iter().zip(owners).enumerate() {
                let number = numbers.value(i);
                self.next = self.next.max(number + 1);
                let place = self.place(orders.get(i), number);
                let value = values.as_ref().map(|values| values.get(i));
                self.lists[partition as usize].insert(place, value, slot);
            }
        }
        Ok(())
    }
}

impl List {
    fn insert(&mut self, place: Place, value: Option<&[u8]>, slot: Slot) {
        if let Some(value) = value {
            match self.arrivals.get_mut(value) {
                Some(numbers) => _ = numbers.insert(place.1),
                None => _ = self.arrivals.insert(value.into(), [place.1].into()),
            }
        }
        self.rows.insert(place, slot);
    }
}
