//! What all ranks share: the rows of a partition in order, those that rank within the limits, and their state.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::row::{OwnedRow, RowConverter};

use super::sort_order::sorter;
use crate::error::{Error, Result};
use crate::graph::{Rank, RankFunction};
use crate::state::{Detail, RowCodec, StatePart, with_numbers};

/// A row as it stands in the state, shared by all that name it.
pub type Row = Arc<OwnedRow>;

/// What rows are compared by.
type SortKey = Box<[u8]>;

/// Where a row stands: its sort key, then the number of its arrival, negative where the last comes first.
type Place = (SortKey, i64);

/// A row of the input, prepared.
pub struct Entry {
    /// Its partition.
    pub key: OwnedRow,
    /// The row.
    pub row: Row,
    order: SortKey,
}

/// The rows of one partition in order.
#[derive(Debug, Default)]
pub struct Partition {
    rows: BTreeMap<Place, Row>,
    /// How many rows have each sort key; kept for RANK and DENSE_RANK.
    ties: BTreeMap<SortKey, u64>,
    /// The numbers of arrival of equal rows; kept where rows are retracted.
    arrivals: HashMap<Row, BTreeSet<i64>>,
}

impl Partition {
    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Where rows of a partition came or went since the last snapshot.
#[derive(Debug, Default)]
pub struct Places(HashSet<Place>);

impl Detail<Partition> for Places {
    fn removed(&mut self, partition: &Partition) {
        self.0.extend(partition.rows.keys().cloned());
    }
}

/// A row in a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct StateRow<'a> {
    row: &'a Row,
    sequence: i64,
    /// When the partition was last written, where it expires.
    written: Option<i64>,
}

/// A rank, prepared: makes, orders and shows rows.
pub struct Ranking {
    rank: Arc<Rank>,
    keys: RowCodec,
    rows: RowCodec,
    /// `None`: rows are ordered by arrival alone.
    sorter: Option<RowConverter>,
    output: SchemaRef,
    /// The number of the next row to arrive.
    next: i64,
}

/// When a row arrived, in the state. No column of a query can have such a name before it.
const SEQUENCE: &str = "__sequence";
/// When a partition was last written, in the state.
const WRITTEN: &str = "__written";

impl Ranking {
    /// For rows of `input`.
    ///
    /// # Errors
    /// Where a column type has no order or cannot be kept as state.
    pub fn new(rank: &Arc<Rank>, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let by_columns = !rank.order.is_empty();
        Ok(Self {
            keys: RowCodec::of_columns(input, &rank.partition)?,
            rows: RowCodec::new(Arc::clone(input))?,
            sorter: by_columns.then(|| sorter(&rank.order, input)).transpose()?,
            output: Arc::clone(output),
            rank: Arc::clone(rank),
            next: 0,
        })
    }

    /// Prepares rows of the input.
    ///
    /// # Errors
    /// Where a column is of another type than planned.
    pub fn entries(&self, rows: &RecordBatch) -> Result<Vec<Entry>> {
        let keys = self.keys.encode_columns(rows, &self.rank.partition)?;
        let orders: Vec<SortKey> = match &self.sorter {
            None => vec![SortKey::default(); rows.num_rows()],
            Some(sorter) => {
                let columns = self
                    .rank
                    .order
                    .iter()
                    .map(|c| rows.column(c.column).clone());
                let orders = sorter.convert_columns(&columns.collect::<Vec<ArrayRef>>())?;
                orders
                    .iter()
                    .map(|order| SortKey::from(order.data()))
                    .collect()
            }
        };
        let width = self.rows.schema().fields().len();
        let own: Vec<usize> = (0..width).collect();
        let encoded = self.rows.encode_columns(rows, &own)?;
        let all = keys.into_iter().zip(encoded).zip(orders);
        Ok(all
            .map(|((key, row), order)| Entry {
                key,
                row: Arc::new(row),
                order,
            })
            .collect())
    }

    /// Whether the row, arriving now, could be shown: others that come before it can only be more.
    pub fn admits(&self, partition: &Partition, entry: &Entry) -> bool {
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
                !full || (&entry.order, &self.place(self.next)) < (last, last_place)
            }
            RankFunction::Rank => (partition.rows.len() as u64) < to || entry.order <= *last,
            RankFunction::DenseRank => (partition.ties.len() as u64) < to || entry.order <= *last,
        }
    }

    /// Adds a row that arrives now; remembers what changes in `changed`.
    pub fn insert(
        &mut self,
        partition: &mut Partition,
        entry: &Entry,
        changed: Option<&mut Places>,
    ) {
        let sequence = self.next;
        self.insert_at(partition, entry, sequence, changed);
    }

    /// Adds a row that arrived as the one with this number.
    pub fn insert_at(
        &mut self,
        partition: &mut Partition,
        entry: &Entry,
        sequence: i64,
        mut changed: Option<&mut Places>,
    ) {
        self.next = self.next.max(sequence + 1);
        let place = (entry.order.clone(), self.place(sequence));
        if let Some(Places(changed)) = &mut changed {
            changed.insert(place.clone());
        }
        partition.rows.insert(place, Arc::clone(&entry.row));
        if self.rank.function != RankFunction::RowNumber {
            *partition.ties.entry(entry.order.clone()).or_default() += 1;
        }
        if self.rank.retracts {
            partition
                .arrivals
                .entry(Arc::clone(&entry.row))
                .or_default()
                .insert(sequence);
        } else {
            self.evict(partition, changed);
        }
    }

    /// Takes away the earliest row that is equal; false where there is none.
    pub fn remove(
        &self,
        partition: &mut Partition,
        entry: &Entry,
        changed: Option<&mut Places>,
    ) -> bool {
        let Some(arrivals) = partition.arrivals.get_mut(&entry.row) else {
            return false;
        };
        let first = arrivals.pop_first();
        if arrivals.is_empty() {
            partition.arrivals.remove(&entry.row);
        }
        let Some(first) = first else { return false };
        let place = (entry.order.clone(), self.place(first));
        partition.rows.remove(&place);
        if let Some(Places(changed)) = changed {
            changed.insert(place);
        }
        if let Some(ties) = partition.ties.get_mut(&entry.order) {
            *ties -= 1;
            if *ties == 0 {
                partition.ties.remove(&entry.order);
            }
        }
        true
    }

    fn place(&self, sequence: i64) -> i64 {
        if self.rank.last_first {
            -sequence
        } else {
            sequence
        }
    }

    /// Drops the rows at the end that rank beyond the limit: append-only rows never move up.
    fn evict(&self, partition: &mut Partition, mut changed: Option<&mut Places>) {
        let mut gone = |place: Place| {
            if let Some(Places(changed)) = &mut changed {
                changed.insert(place);
            }
        };
        let to = self.rank.to;
        let rows = partition.rows.len() as u64;
        let is_beyond = match self.rank.function {
            RankFunction::RowNumber => {
                if rows > to
                    && let Some((place, _)) = partition.rows.pop_last()
                {
                    gone(place);
                }
                return;
            }
            RankFunction::Rank => partition
                .ties
                .last_key_value()
                .is_some_and(|(_, ties)| rows - ties >= to),
            RankFunction::DenseRank => partition.ties.len() as u64 > to,
        };
        if is_beyond && let Some((order, _)) = partition.ties.pop_last() {
            let beyond = partition.rows.split_off(&(order, i64::MIN));
            beyond.into_keys().for_each(gone);
        }
    }

    /// The rows that rank within the limits, with their ranks, in order.
    pub fn shown(&self, partition: &Partition) -> Vec<(Row, u64)> {
        let mut shown = Vec::new();
        let mut rank = 0;
        let mut previous = None;
        for (position, ((order, _), row)) in (1u64..).zip(&partition.rows) {
            let is_tie = previous == Some(order);
            rank = match self.rank.function {
                RankFunction::RowNumber => position,
                RankFunction::Rank | RankFunction::DenseRank if is_tie => rank,
                RankFunction::Rank => position,
                RankFunction::DenseRank => rank + 1,
            };
            if rank > self.rank.to {
                break;
            }
            if rank >= self.rank.from {
                shown.push((Arc::clone(row), rank));
            }
            previous = Some(order);
        }
        shown
    }

    /// Rows of the result: those of the input, then the rank, if it is asked for.
    ///
    /// # Errors
    /// Where the result is not what was planned.
    pub fn result(&self, shown: &[(Row, u64)]) -> Result<RecordBatch> {
        let rows = self
            .rows
            .decode(shown.iter().map(|(row, _)| row.as_ref()))?;
        let mut columns = rows.columns().to_vec();
        if self.rank.with_rank {
            let ranks = shown.iter().map(|(_, rank)| *rank as i64);
            columns.push(Arc::new(Int64Array::from_iter_values(ranks)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(shown.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.output),
            columns,
            &options,
        )?)
    }

    /// All rows of a partition, for a snapshot.
    pub fn rows<'a>(
        &self,
        partition: &'a Partition,
        written: Option<i64>,
    ) -> impl Iterator<Item = StateRow<'a>> {
        let to_sequence = self.place(1);
        partition
            .rows
            .iter()
            .map(move |((_, place), row)| StateRow {
                row,
                sequence: place * to_sequence,
                written,
            })
    }

    /// The rows of a partition that came since the last snapshot. One at the least: the time at which a partition was written is
    /// the latest of its rows'.
    pub fn new_rows<'a>(
        &self,
        partition: &'a Partition,
        Places(changed): &Places,
        written: Option<i64>,
    ) -> Vec<StateRow<'a>> {
        let there = changed
            .iter()
            .filter_map(|place| partition.rows.get_key_value(place));
        let mut there: Vec<_> = there.collect();
        if there.is_empty() && written.is_some() {
            there.extend(partition.rows.first_key_value());
        }
        let row = |((_, place), row): (&Place, &'a Row)| StateRow {
            row,
            sequence: self.place(*place),
            written,
        };
        there.into_iter().map(row).collect()
    }

    /// The numbers of arrival of rows that went since the last snapshot.
    pub fn gone_rows(
        &self,
        partition: Option<&Partition>,
        Places(changed): &Places,
    ) -> impl Iterator<Item = i64> {
        let is_gone = move |place: &&Place| partition.is_none_or(|p| !p.rows.contains_key(*place));
        changed.iter().filter(is_gone).map(|(_, n)| self.place(*n))
    }

    /// The state, a part "rows": the columns of the input, then `__sequence` (the order of arrival) and `__written`. Its key is
    /// the partition with the order of arrival. `gone`, where these are changes: what is no longer there, by partition and
    /// order of arrival.
    ///
    /// # Errors
    /// Where rows cannot be had as columns again.
    pub fn snapshot(
        &self,
        rows: &[StateRow<'_>],
        gone: Option<Vec<(&OwnedRow, i64)>>,
    ) -> Result<StatePart> {
        let sequences = Int64Array::from_iter_values(rows.iter().map(|r| r.sequence));
        let written: Int64Array = rows.iter().map(|r| r.written).collect();
        let columns = self.rows.decode(rows.iter().map(|r| r.row.as_ref()))?;
        let columns = with_numbers(&columns, SEQUENCE, sequences)?;
        let columns = with_numbers(&columns, WRITTEN, written)?;
        let part = StatePart::keyed("rows", columns, &self.rank.partition)?;
        let gone = gone.map(|gone| {
            let keys = self.keys.decode(gone.iter().map(|(key, _)| *key))?;
            let sequences = gone.iter().map(|(_, sequence)| *sequence);
            with_numbers(&keys, SEQUENCE, Int64Array::from_iter_values(sequences))
        });
        let mut key = self.rank.partition.clone();
        key.push(self.rows.schema().fields().len());
        Ok(part.replacing(key, gone.transpose()?))
    }

    /// The rows of a part of [`Ranking::snapshot`], each with its number of arrival and when its partition was last written.
    ///
    /// # Errors
    /// Where the state is of other rows.
    pub fn stored(&self, part: &StatePart) -> Result<Vec<(Entry, i64, Option<i64>)>> {
        let width = self.rows.schema().fields().len();
        let number = |at: usize| {
            let column = part.rows.columns().get(width + at);
            column.and_then(|c| c.as_primitive_opt::<Int64Type>())
        };
        let (Some(sequences), Some(written)) = (number(0), number(1)) else {
            return Err(Error::internal(format!(
                "state '{}' is not a rank's",
                part.name
            )));
        };
        let entries = self
            .entries(&part.rows)?
            .into_iter()
            .zip(sequences.values());
        Ok(entries
            .zip(written.iter())
            .map(|((entry, s), at)| (entry, *s, at))
            .collect())
    }
}
