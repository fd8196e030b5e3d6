//! What all ranks share: the rows of a partition in order, those that rank within the limits, and their state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::row::{RowConverter, Rows};
use hashbrown::{HashMap, HashSet};
use twox_hash::XxHash3_64;

use super::changed::consolidated;
use super::sort_order::sorter;
use crate::changelog::{Batch, take_rows};
use crate::error::Result;
use crate::graph::{Rank, RankFunction};
use crate::state::{Slot, StatePart, Table, TableSnapshot};

/// What rows are compared by, in bytes.
type SortKey = Box<[u8]>;

/// Where a row stands: its sort key, then the number of its arrival, negative where the last comes first.
type Place = (SortKey, i64);

/// A row that is shown.
#[derive(Debug, Clone, Copy)]
struct Shown {
    slot: Slot,
    rank: u64,
    /// A hash of its sort key.
    order: u64,
}

/// The rows of one partition in order.
#[derive(Debug, Default)]
struct Partition {
    rows: BTreeMap<Place, Held>,
    /// How many rows have each sort key; kept for RANK and DENSE_RANK.
    ties: BTreeMap<SortKey, u64>,
    /// The numbers of arrival of equal rows; kept where rows are retracted.
    arrivals: HashMap<Box<[u8]>, BTreeSet<i64>>,
}

/// A row of a partition.
#[derive(Debug, Clone, Copy)]
enum Held {
    /// Where it is, and a hash of its sort key.
    Stored(Slot, u64),
    /// It came with the batch that is being applied.
    New,
}

/// A partition that a batch changes.
pub struct Changed {
    /// The partition.
    pub partition: Slot,
    /// It was not there before.
    pub is_new: bool,
    before: Vec<Shown>,
}

/// A rank: keeps, orders and shows rows.
pub struct Ranking {
    rank: Arc<Rank>,
    /// `None`: rows are ordered by arrival alone.
    sorter: Option<RowConverter>,
    /// Makes values of whole rows, where rows are retracted.
    values: Option<RowConverter>,
    output: SchemaRef,
    /// Number of columns of the input.
    width: usize,
    /// The keys of the partitions.
    partitions: Table,
    lists: Vec<Partition>,
    /// By partition and number of arrival the rows.
    rows: Table,
    /// Rows that are no longer in a partition, though still in the table.
    dropped: Vec<Slot>,
    /// The number of the next row to arrive.
    next: i64,
}

/// When a row arrived, in the state. No column of a query can have such a name before it.
const SEQUENCE: &str = "__sequence";

/// Rows of a batch as bytes.
struct Entries {
    orders: Option<Rows>,
    values: Option<Rows>,
}

impl Entries {
    fn order(&self, row: usize) -> &[u8] {
        self.orders
            .as_ref()
            .map_or(&[], |rows| rows.row(row).data())
    }

    fn value(&self, row: usize) -> &[u8] {
        self.values
            .as_ref()
            .map_or(&[], |rows| rows.row(row).data())
    }
}

impl Ranking {
    /// For rows of `input`.
    ///
    /// # Errors
    /// Where a column type has no order or cannot be kept as state.
    pub fn new(rank: &Arc<Rank>, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let values = input.fields().iter();
        let values = values.map(|f| arrow::row::SortField::new(f.data_type().clone()));
        let mut fields = input.fields().to_vec();
        fields.push(Arc::new(Field::new(SEQUENCE, DataType::Int64, false)));
        let mut key = rank.partition.clone();
        key.push(fields.len() - 1);
        let rows = Arc::new(Schema::new(fields));
        let partitions = Arc::new(input.project(&rank.partition)?);
        let all: Vec<usize> = (0..rank.partition.len()).collect();
        Ok(Self {
            sorter: match rank.order.is_empty() {
                true => None,
                false => Some(sorter(&rank.order, input)?),
            },
            values: match rank.retracts && !input.fields().is_empty() {
                true => Some(RowConverter::new(values.collect())?),
                false => None,
            },
            output: Arc::clone(output),
            width: input.fields().len(),
            partitions: Table::new("partitions", partitions, &all, &all, rank.ttl)?,
            lists: Vec::new(),
            rows: Table::new("rows", rows, &key, &rank.partition, None)?,
            rank: Arc::clone(rank),
            dropped: Vec::new(),
            next: 0,
        })
    }

    /// Adds and takes away rows; returns the partitions in which that changes something, in order of first mention. To be followed
    /// by [`Ranking::tidy`].
    ///
    /// # Errors
    /// Where the state has no room.
    pub fn apply(&mut self, batch: &Batch) -> Result<Vec<Changed>> {
        let keys = self.partition_columns(&batch.rows);
        let keys = self.partitions.keys_of(&keys, batch.num_rows())?;
        let entries = self.entries(&batch.rows)?;
        let mut changed: Vec<Changed> = Vec::new();
        let mut seen: HashSet<Slot> = HashSet::new();
        // What came, and has not gone again: partition, place.
        let mut new: Vec<(u32, Slot, i64)> = Vec::new();
        for row in 0..keys.count() {
            let weight = batch.weight(row);
            // One at a time and in order: rows that are equal in order rank by arrival.
            for _ in 0..weight.unsigned_abs() {
                let found = self.partitions.find(&keys, row);
                let none = Partition::default();
                let partition = found.map_or(&none, |slot| &self.lists[slot as usize]);
                let is_taken = match weight > 0 {
                    true => self.admits(partition, entries.order(row)),
                    false => !partition.rows.is_empty(),
                };
                if !is_taken {
                    continue;
                }
                let (slot, is_new) = self.partitions.write(&keys, row)?;
                if is_new {
                    let slots = self.partitions.slots();
                    self.lists.resize_with(slots, Partition::default);
                }
                if seen.insert(slot) {
                    let before = self.shown(&self.lists[slot as usize]);
                    changed.push(Changed {
                        partition: slot,
                        is_new,
                        before,
                    });
                }
                if weight > 0 {
                    let sequence = self.next;
                    new.push((row as u32, slot, sequence));
                    let held = Held::New;
                    self.insert(
                        slot,
                        (entries.order(row), entries.value(row)),
                        sequence,
                        held,
                    );
                } else {
                    self.remove(slot, entries.order(row), entries.value(row));
                }
            }
        }
        self.store(batch, &entries, &new)?;
        Ok(changed)
    }

    /// Writes the new rows that are still there.
    fn store(&mut self, batch: &Batch, entries: &Entries, new: &[(u32, Slot, i64)]) -> Result<()> {
        let place = |(row, _, sequence): &(u32, Slot, i64)| {
            (
                SortKey::from(entries.order(*row as usize)),
                self.place(*sequence),
            )
        };
        let is_there = |new: &(u32, Slot, i64)| {
            let rows = &self.lists[new.1 as usize].rows;
            matches!(rows.get(&place(new)), Some(Held::New))
        };
        let there: Vec<(u32, Slot, i64)> = new.iter().filter(|n| is_there(n)).copied().collect();
        if there.is_empty() {
            return Ok(());
        }
        let indices = UInt32Array::from_iter_values(there.iter().map(|(row, ..)| *row));
        let rows = take_rows(&batch.rows, &indices)?;
        let mut keys = self.partition_columns(&rows);
        let sequences = Int64Array::from_iter_values(there.iter().map(|(.., s)| *s));
        keys.push(Arc::new(sequences));
        let keys = self.rows.keys_of(&keys, there.len())?;
        let mut slots = Vec::with_capacity(there.len());
        for (i, new) in there.iter().enumerate() {
            let (slot, _) = self.rows.write(&keys, i)?;
            let place = (
                SortKey::from(entries.order(new.0 as usize)),
                self.place(new.2),
            );
            let list = &mut self.lists[new.1 as usize];
            let order = hash(&place.0);
            list.rows.insert(place, Held::Stored(slot, order));
            slots.push(slot);
        }
        self.rows.set_rows(&slots, rows.columns())
    }

    /// Removes what has gone with a batch.
    ///
    /// # Errors
    /// Where its keys cannot be remembered.
    pub fn tidy(&mut self, changed: &[Changed]) -> Result<()> {
        for slot in std::mem::take(&mut self.dropped) {
            self.rows.remove(slot)?;
        }
        for Changed { partition, .. } in changed {
            if self.lists[*partition as usize].rows.is_empty() {
                self.partitions.remove(*partition)?;
            }
        }
        Ok(())
    }

    /// Removes a partition and its rows.
    ///
    /// # Errors
    /// Where its keys cannot be remembered.
    pub fn forget(&mut self, partition: Slot) -> Result<()> {
        let list = std::mem::take(&mut self.lists[partition as usize]);
        for held in list.rows.into_values() {
            if let Held::Stored(slot, _) = held {
                self.rows.remove(slot)?;
            }
        }
        self.partitions.remove(partition)
    }

    fn partition_columns(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        let columns = self.rank.partition.iter();
        columns.map(|c| Arc::clone(rows.column(*c))).collect()
    }

    fn entries(&self, rows: &RecordBatch) -> Result<Entries> {
        let order = self.rank.order.iter();
        let order: Vec<ArrayRef> = order.map(|c| Arc::clone(rows.column(c.column))).collect();
        let of = |converter: &Option<RowConverter>, columns: &[ArrayRef]| {
            let converter = converter.as_ref();
            converter.map(|c| c.convert_columns(columns)).transpose()
        };
        Ok(Entries {
            orders: of(&self.sorter, &order)?,
            values: of(&self.values, &rows.columns()[..self.width])?,
        })
    }

    /// Whether a row, arriving now, could be shown: others that come before it can only be more.
    fn admits(&self, partition: &Partition, order: &[u8]) -> bool {
        if self.rank.retracts {
            return true;
        }
        let to = self.rank.to;
        let Some(((last, last_place), _)) = partition.rows.last_key_value() else {
            return to > 0;
        };
        match self.rank.function {
            RankFunction::RowNumber => {
                let full = partition.rows.len() as u64 >= to;
                !full || (order, &self.place(self.next)) < (last, last_place)
            }
            RankFunction::Rank => (partition.rows.len() as u64) < to || order <= last.as_ref(),
            RankFunction::DenseRank => (partition.ties.len() as u64) < to || order <= last.as_ref(),
        }
    }

    /// Adds a row that arrived as the one with this number.
    fn insert(
        &mut self,
        partition: Slot,
        (order, value): (&[u8], &[u8]),
        sequence: i64,
        held: Held,
    ) {
        self.next = self.next.max(sequence + 1);
        let place = (SortKey::from(order), self.place(sequence));
        let list = &mut self.lists[partition as usize];
        list.rows.insert(place, held);
        if self.rank.function != RankFunction::RowNumber {
            *list.ties.entry(order.into()).or_default() += 1;
        }
        if self.rank.retracts {
            let arrivals = list.arrivals.entry(value.into()).or_default();
            arrivals.insert(sequence);
        } else {
            self.evict(partition);
        }
    }

    /// Takes away the earliest row that is equal, if there is one.
    fn remove(&mut self, partition: Slot, order: &[u8], value: &[u8]) {
        let list = &mut self.lists[partition as usize];
        let Some(arrivals) = list.arrivals.get_mut(value) else {
            return;
        };
        let first = arrivals.pop_first();
        if arrivals.is_empty() {
            list.arrivals.remove(value);
        }
        let Some(first) = first else { return };
        if let Some(ties) = list.ties.get_mut(order) {
            *ties -= 1;
            if *ties == 0 {
                list.ties.remove(order);
            }
        }
        let place = (SortKey::from(order), self.place(first));
        let held = self.lists[partition as usize].rows.remove(&place);
        self.drop_rows(held);
    }

    fn place(&self, sequence: i64) -> i64 {
        if self.rank.last_first {
            -sequence
        } else {
            sequence
        }
    }

    fn drop_rows(&mut self, rows: impl IntoIterator<Item = Held>) {
        let stored = rows.into_iter().filter_map(|held| match held {
            Held::Stored(slot, _) => Some(slot),
            Held::New => None,
        });
        self.dropped.extend(stored);
    }

    /// Drops the rows at the end that rank beyond the limit: append-only rows never move up.
    fn evict(&mut self, partition: Slot) {
        let list = &mut self.lists[partition as usize];
        let to = self.rank.to;
        let rows = list.rows.len() as u64;
        let is_beyond = match self.rank.function {
            RankFunction::RowNumber => {
                if rows > to {
                    let last = list.rows.pop_last();
                    self.drop_rows(last.map(|(_, held)| held));
                }
                return;
            }
            RankFunction::Rank => list
                .ties
                .last_key_value()
                .is_some_and(|(_, ties)| rows - ties >= to),
            RankFunction::DenseRank => list.ties.len() as u64 > to,
        };
        if is_beyond && let Some((order, _)) = list.ties.pop_last() {
            let beyond = list.rows.split_off(&(order, i64::MIN));
            self.drop_rows(beyond.into_values());
        }
    }

    /// The rows that rank within the limits, with their ranks, in order.
    fn shown(&self, partition: &Partition) -> Vec<Shown> {
        let mut shown = Vec::new();
        let mut rank = 0;
        let mut previous = None;
        for (position, ((sort_key, _), held)) in (1u64..).zip(&partition.rows) {
            let is_tie = previous == Some(sort_key);
            rank = match self.rank.function {
                RankFunction::RowNumber => position,
                RankFunction::Rank | RankFunction::DenseRank if is_tie => rank,
                RankFunction::Rank => position,
                RankFunction::DenseRank => rank + 1,
            };
            if rank > self.rank.to {
                break;
            }
            if rank >= self.rank.from
                && let Held::Stored(slot, order) = *held
            {
                shown.push(Shown { slot, rank, order });
            }
            previous = Some(sort_key);
        }
        shown
    }

    /// The rows of a partition that are shown.
    ///
    /// # Errors
    /// Where the result is not what was planned.
    pub fn result_of(&self, partitions: &[Slot]) -> Result<RecordBatch> {
        let lists = partitions.iter().map(|slot| &self.lists[*slot as usize]);
        let shown: Vec<Shown> = lists.flat_map(|list| self.shown(list)).collect();
        self.result(&shown)
    }

    /// Rows of the result: those of the input, then the rank, if it is asked for.
    fn result(&self, shown: &[Shown]) -> Result<RecordBatch> {
        let slots: Vec<Slot> = shown.iter().map(|shown| shown.slot).collect();
        let mut columns = self.rows.rows(&slots)?.columns().to_vec();
        columns.pop();
        if self.rank.with_rank {
            let ranks = shown.iter().map(|shown| shown.rank as i64);
            columns.push(Arc::new(Int64Array::from_iter_values(ranks)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(shown.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.output),
            columns,
            &options,
        )?)
    }

    /// What differs between what was shown of partitions before and is now: what goes before what comes.
    ///
    /// # Errors
    /// Where the result is not what was planned.
    pub fn difference(&self, changed: &[Changed]) -> Result<Batch> {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        let rank = |shown: &Shown| if self.rank.with_rank { shown.rank } else { 0 };
        // Two rows that are equal in order may be equal altogether: then nothing changes.
        let mut may_cancel = false;
        for Changed {
            partition, before, ..
        } in changed
        {
            let after = self.shown(&self.lists[*partition as usize]);
            let id = |shown: &Shown| (shown.slot, rank(shown));
            // Nearly always the first ranks stay as they are.
            let pairs = before.iter().zip(&after);
            let same = pairs.take_while(|(b, a)| id(b) == id(a)).count();
            let (before, after) = (&before[same..], &after[same..]);
            let ids = |of: &[Shown]| of.iter().map(id).collect::<HashSet<_>>();
            let (old, new) = (ids(before), ids(after));
            let (first_gone, first_come) = (gone.len(), come.len());
            gone.extend(before.iter().filter(|shown| !new.contains(&id(shown))));
            come.extend(after.iter().filter(|shown| !old.contains(&id(shown))));
            let order = |shown: &Shown| (shown.order, rank(shown));
            let orders: HashSet<_> = gone[first_gone..].iter().map(order).collect();
            may_cancel |= come[first_come..]
                .iter()
                .any(|s| orders.contains(&order(s)));
        }
        let mut weights = vec![-1; gone.len()];
        weights.resize(gone.len() + come.len(), 1);
        gone.append(&mut come);
        let rows = self.result(&gone)?;
        if may_cancel {
            return consolidated(Batch::changes(rows, weights));
        }
        Ok(Batch::changes(rows, weights))
    }

    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(&self) -> Option<u64> {
        self.partitions.clock_period()
    }

    /// The watermark moved to `time`: gives up partitions by it.
    ///
    /// # Errors
    /// As [`Ranking::forget`].
    pub fn on_watermark(&mut self, time: i64) -> Result<()> {
        let mut expired = self.partitions.on_watermark(time).into_iter();
        expired.try_for_each(|partition| self.forget(partition))
    }

    /// The clock is at `time`: gives up partitions by it.
    ///
    /// # Errors
    /// As [`Ranking::forget`].
    pub fn on_clock(&mut self, time: i64) -> Result<()> {
        let mut expired = self.partitions.on_clock(time).into_iter();
        expired.try_for_each(|partition| self.forget(partition))
    }

    /// The state: "rows", the columns of the input and `__sequence`, the order of arrival; and "partitions".
    ///
    /// # Errors
    /// Where rows cannot be given as columns (a bug).
    pub fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut parts = self.rows.snapshot()?;
        parts.extend(self.partitions.snapshot()?);
        Ok(parts)
    }

    /// Takes state of [`Ranking::snapshot`].
    ///
    /// # Errors
    /// Where the state is of other rows.
    pub fn restore(&mut self, parts: &[StatePart]) -> Result<()> {
        self.partitions.restore_all(parts)?;
        self.rows.restore_all(parts)?;
        let slots = self.rows.all();
        let rows = self.rows.rows(&slots)?;
        let columns = self.partition_columns(&rows);
        let keys = self.partitions.keys_of(&columns, slots.len())?;
        let entries = self.entries(&rows)?;
        let sequences = rows.column(rows.num_columns() - 1);
        let sequences = sequences.as_primitive::<Int64Type>();
        for (i, slot) in slots.into_iter().enumerate() {
            let partition = match self.partitions.find(&keys, i) {
                Some(partition) => partition,
                None => self.partitions.write(&keys, i)?.0,
            };
            let partitions = self.partitions.slots();
            self.lists.resize_with(partitions, Partition::default);
            let entry = (entries.order(i), entries.value(i));
            let held = Held::Stored(slot, hash(entry.0));
            self.insert(partition, entry, sequences.value(i), held);
        }
        Ok(())
    }

    /// Number of rows kept.
    #[cfg(test)]
    pub fn kept(&self) -> usize {
        self.rows.all().len()
    }

    /// Number of rows of a partition.
    pub fn kept_of(&self, partition: Slot) -> usize {
        self.lists[partition as usize].rows.len()
    }

    /// The columns partitions are by.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn keys(&self, partitions: &[Slot]) -> Result<Vec<ArrayRef>> {
        self.partitions.keys(partitions)
    }

    /// The partitions that there are.
    pub fn partitions(&self) -> Vec<Slot> {
        self.partitions.all()
    }

    /// The values of a column of the input that partitions are by.
    ///
    /// # Errors
    /// Where they are not by it (a bug).
    pub fn partition_values(&self, column: usize, partitions: &[Slot]) -> Result<ArrayRef> {
        let at = self.rank.partition.iter().position(|c| *c == column);
        let column = at.and_then(|at| Some(self.partitions.keys(partitions).ok()?.remove(at)));
        column.ok_or_else(|| crate::error::Error::internal("a column that is not of the partition"))
    }
}

fn hash(order: &[u8]) -> u64 {
    XxHash3_64::oneshot(order)
}
