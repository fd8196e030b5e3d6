//! What all ranks share: the rows of partitions in order, and which of them rank within the limits.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::SchemaRef;
use hashbrown::{HashMap, HashSet};

use super::changed::consolidated;
use super::ordered_rows::{Incoming, List, OrderedRows, Place, SortKey};
use crate::changelog::{Batch, take_rows};
use crate::error::{Error, Result};
use crate::graph::{Rank, RankFunction, RankTime};
use crate::state::{Slot, StatePart};

/// A partition that a batch changes.
pub struct Changed {
    /// The partition.
    pub partition: Slot,
    /// It was not there before.
    pub is_new: bool,
    /// What ranked within the limit, in [`Ranking::before`].
    before: Range<usize>,
}

/// A row that is shown, or no longer is.
struct Shown<'a> {
    key: &'a [u8],
    /// 0 where ranks are not asked for.
    rank: u64,
    slot: Slot,
}

/// A rank: keeps, orders and shows rows.
pub struct Ranking {
    // Properties.
    rank: Arc<Rank>,
    output: SchemaRef,
    // State.
    /// The rows that may be shown, now or once others have gone.
    pub kept: OrderedRows,
    /// By partition how many rows have each sort key; kept for RANK and DENSE_RANK.
    ties: Vec<BTreeMap<SortKey, u64>>,
    // Of the last batch.
    /// Rows of the partitions that it changed, and their ranks.
    before: Vec<(Slot, u64)>,
    /// Rows that are no longer in a partition, though still in the table.
    dropped: HashMap<Slot, SortKey>,
}

impl Ranking {
    /// For rows of `input`.
    ///
    /// # Errors
    /// Where a column type has no order or cannot be kept as state.
    pub fn new(rank: &Arc<Rank>, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        Ok(Self {
            kept: OrderedRows::new(
                input,
                &rank.partition,
                &rank.order,
                rank.last_first,
                rank.retracts,
                &[],
                rank.ttl,
            )?,
            rank: Arc::clone(rank),
            output: Arc::clone(output),
            ties: Vec::new(),
            before: Vec::new(),
            dropped: HashMap::new(),
        })
    }

    /// Adds and takes away rows; returns the partitions in which that changes something, in order of first mention. To be followed
    /// by [`Ranking::tidy`].
    ///
    /// # Errors
    /// Where the state has no room.
    pub fn apply(&mut self, batch: &Batch) -> Result<Vec<Changed>> {
        let incoming = self.kept.incoming(batch)?;
        let mut changed: Vec<Changed> = Vec::new();
        let mut seen: HashSet<Slot> = HashSet::new();
        let mut come: Vec<(u32, Slot)> = Vec::new();
        self.before.clear();
        let mut next = 0;
        for row in 0..batch.num_rows() {
            let weight = batch.weight(row);
            // One at a time and in order: rows that are equal in order rank by arrival.
            for _ in 0..weight.unsigned_abs() {
                let copy = next;
                next += usize::from(weight > 0);
                let found = self.kept.partitions.find(&incoming.partitions, row);
                if !self.matters(found, incoming.order(row), weight) {
                    continue;
                }
                let partition = self.kept.partition(found, &incoming, row)?;
                if seen.insert(partition) {
                    let before = self.remember(partition);
                    changed.push(Changed {
                        partition,
                        is_new: found.is_none(),
                        before,
                    });
                }
                if weight > 0 {
                    come.push((row as u32, self.insert(partition, &incoming, row, copy)?));
                } else {
                    self.remove(partition, &incoming, row);
                }
            }
        }
        come.retain(|(_, slot)| !self.dropped.contains_key(slot));
        let (rows, slots): (Vec<u32>, Vec<Slot>) = come.into_iter().unzip();
        let rows = take_rows(&batch.rows, &UInt32Array::from(rows))?;
        self.kept.rows.set_rows(&slots, rows.columns())?;
        Ok(changed)
    }

    /// Removes what has gone with a batch.
    ///
    /// # Errors
    /// Where its keys cannot be remembered.
    pub fn tidy(&mut self, changed: &[Changed]) -> Result<()> {
        let dropped = self.dropped.drain().map(|(slot, _)| slot);
        let partitions = changed.iter().map(|changed| changed.partition);
        self.kept.tidy(dropped, partitions)
    }

    /// Removes a partition and its rows.
    ///
    /// # Errors
    /// Where its keys cannot be remembered.
    pub fn forget(&mut self, partition: Slot) -> Result<()> {
        if let Some(ties) = self.ties.get_mut(partition as usize) {
            ties.clear();
        }
        self.kept.forget(partition)
    }

    /// Whether a row could change anything: one that goes from a partition, or one that, arriving now, could be shown. Others that
    /// come before it can only be more.
    fn matters(&self, partition: Option<Slot>, order: &[u8], weight: i64) -> bool {
        let list = partition.map(|partition| self.kept.list(partition));
        let last = list.and_then(|list| list.rows.last_key_value());
        let (Some(partition), Some(list), Some(((last, _), _))) = (partition, list, last) else {
            return weight > 0 && (self.rank.retracts || self.rank.to > 0);
        };
        if self.rank.retracts {
            return true;
        }
        let count = match self.rank.function {
            RankFunction::RowNumber | RankFunction::Rank => list.rows.len(),
            RankFunction::DenseRank => self.ties[partition as usize].len(),
        };
        let ties_count = self.rank.last_first || self.rank.function != RankFunction::RowNumber;
        (count as u64) < self.rank.to
            || match order.cmp(last) {
                Ordering::Less => true,
                Ordering::Equal => ties_count,
                Ordering::Greater => false,
            }
    }

    /// Adds a row that comes.
    fn insert(
        &mut self,
        partition: Slot,
        batch: &Incoming,
        row: usize,
        copy: usize,
    ) -> Result<Slot> {
        let place = self.kept.place_of(batch, row, copy);
        self.tie(partition, &place.0);
        let slot = self.kept.insert(partition, place, batch, row, copy)?;
        if !self.rank.retracts {
            self.evict(partition);
        }
        Ok(slot)
    }

    fn tie(&mut self, partition: Slot, order: &SortKey) {
        if self.rank.function == RankFunction::RowNumber {
            return;
        }
        let slots = self.kept.partitions.slots();
        self.ties.resize_with(slots, BTreeMap::new);
        let ties = &mut self.ties[partition as usize];
        *ties.entry(order.clone()).or_default() += 1;
    }

    /// Takes away the earliest row that is equal, if there is one.
    fn remove(&mut self, partition: Slot, batch: &Incoming, row: usize) {
        let Some(place) = self.kept.earliest(partition, batch, row) else {
            return;
        };
        if let Some(ties) = self.ties.get_mut(partition as usize)
            && let Some(count) = ties.get_mut(&place.0)
        {
            *count -= 1;
            if *count == 0 {
                ties.remove(&place.0);
            }
        }
        let slot = self.kept.remove(partition, &place, batch, row);
        self.dropped.extend(slot.map(|slot| (slot, place.0)));
    }

    /// Drops the rows at the end that rank beyond the limit: append-only rows never move up.
    fn evict(&mut self, partition: Slot) {
        let to = self.rank.to;
        let rows = self.kept.list(partition).rows.len() as u64;
        if self.rank.function == RankFunction::RowNumber {
            if rows > to {
                let last = self.kept.pop_last(partition);
                let last = last.map(|((order, _), slot)| (slot, order));
                self.dropped.extend(last);
            }
            return;
        }
        let ties = &mut self.ties[partition as usize];
        let is_beyond = match self.rank.function {
            RankFunction::DenseRank => ties.len() as u64 > to,
            _ => ties.last_key_value().is_some_and(|(_, n)| rows - n >= to),
        };
        if is_beyond && let Some((order, _)) = ties.pop_last() {
            let beyond = self.kept.split_off(partition, order).into_iter();
            let beyond = beyond.map(|((order, _), slot)| (slot, order));
            self.dropped.extend(beyond);
        }
    }

    /// All rows of a partition in order, with their ranks.
    fn ranked<'a>(&self, list: &'a List) -> impl Iterator<Item = (&'a Place, Slot, u64)> + use<'a> {
        let function = self.rank.function;
        let (mut rank, mut previous) = (0, None);
        let rows = (1u64..).zip(&list.rows);
        rows.map(move |(position, (place, slot))| {
            if function == RankFunction::RowNumber {
                rank = position;
            } else if previous.replace(&place.0) != Some(&place.0) {
                rank = match function {
                    RankFunction::DenseRank => rank + 1,
                    _ => position,
                };
            }
            (place, *slot, rank)
        })
    }

    /// Keeps what ranks within the limit, before a batch changes it.
    fn remember(&mut self, partition: Slot) -> Range<usize> {
        let from = self.before.len();
        if let RankTime::Window(_) = self.rank.time {
            // It is emitted whole, once.
            return from..from;
        }
        let ranked = self.ranked(self.kept.list(partition));
        let within = ranked.take_while(|(.., rank)| *rank <= self.rank.to);
        self.before
            .extend(within.map(|(_, slot, rank)| (slot, rank)));
        from..self.before.len()
    }

    /// The rows of a partition that are shown.
    ///
    /// # Errors
    /// Where the result is not what was planned.
    pub fn result_of(&self, partitions: &[Slot]) -> Result<RecordBatch> {
        let (mut slots, mut ranks) = (Vec::new(), Vec::new());
        for partition in partitions {
            let ranked = self.ranked(self.kept.list(*partition));
            let within = ranked.take_while(|(.., rank)| *rank <= self.rank.to);
            for (_, slot, rank) in within.filter(|(.., rank)| *rank >= self.rank.from) {
                slots.push(slot);
                ranks.push(rank as i64);
            }
        }
        self.result(&slots, ranks)
    }

    /// Rows of the result: those of the input, then the rank, if it is asked for.
    fn result(&self, slots: &[Slot], ranks: Vec<i64>) -> Result<RecordBatch> {
        let mut columns = self.kept.rows.rows(slots)?.columns().to_vec();
        columns.pop();
        if self.rank.with_rank {
            columns.push(Arc::new(Int64Array::from(ranks)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(slots.len()));
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
        // Two rows that are equal in order may be equal altogether: then nothing changes.
        let mut may_cancel = false;
        for change in changed {
            let first = (gone.len(), come.len());
            self.compare(change, &mut gone, &mut come);
            may_cancel |= meet(&gone[first.0..], &come[first.1..]);
        }
        let mut weights = vec![-1; gone.len()];
        weights.resize(gone.len() + come.len(), 1);
        gone.append(&mut come);
        let slots: Vec<Slot> = gone.iter().map(|shown| shown.slot).collect();
        let ranks = gone.iter().map(|shown| shown.rank as i64).collect();
        let batch = Batch::changes(self.result(&slots, ranks)?, weights);
        match may_cancel {
            true => consolidated(batch),
            false => Ok(batch),
        }
    }

    /// What is no longer shown of a partition, and what is now, both in order.
    fn compare<'a>(
        &'a self,
        change: &Changed,
        gone: &mut Vec<Shown<'a>>,
        come: &mut Vec<Shown<'a>>,
    ) {
        let Rank {
            from,
            to,
            with_rank,
            ..
        } = *self.rank;
        let shown = |rank: u64| {
            (from..=to)
                .contains(&rank)
                .then_some(if with_rank { rank } else { 0 })
        };
        let mut put = |key: &'a [u8], slot, was: Option<u64>, is: Option<u64>| {
            let (was, is) = (was.and_then(shown), is.and_then(shown));
            if was != is {
                gone.extend(was.map(|rank| Shown { key, rank, slot }));
                come.extend(is.map(|rank| Shown { key, rank, slot }));
            }
        };
        // Rows that stay are in the same order before and after.
        let mut before = self.before[change.before.clone()].iter().peekable();
        let list = self.kept.list(change.partition);
        for ((key, _), slot, rank) in self.ranked(list) {
            while let Some((went, was)) = before.peek()
                && *went != slot
                && let Some(key) = self.dropped.get(went)
            {
                put(key, *went, Some(*was), None);
                before.next();
            }
            if rank > to && before.peek().is_none() {
                break;
            }
            let was = before.next_if(|(other, _)| *other == slot);
            put(key, slot, was.map(|(_, was)| *was), Some(rank));
        }
        for (went, was) in before {
            if let Some(key) = self.dropped.get(went) {
                put(key, *went, Some(*was), None);
            }
        }
    }

    /// Gives up partitions that have expired.
    ///
    /// # Errors
    /// As [`Ranking::forget`].
    pub fn give_up(&mut self, expired: Vec<Slot>) -> Result<()> {
        let mut expired = expired.into_iter();
        expired.try_for_each(|partition| self.forget(partition))
    }

    /// Takes state of [`OrderedRows::snapshot`].
    ///
    /// # Errors
    /// Where the state is of other rows.
    pub fn restore(&mut self, parts: &[StatePart]) -> Result<()> {
        self.kept.restore(parts)?;
        for partition in self.kept.partitions.all() {
            let rows = self.kept.list(partition).rows.keys();
            let orders: Vec<SortKey> = rows.map(|(order, _)| order.clone()).collect();
            orders.iter().for_each(|order| self.tie(partition, order));
        }
        Ok(())
    }

    /// The names of the columns that partitions are by.
    pub fn partition_names(&self) -> impl Iterator<Item = &String> {
        let columns = self.rank.partition.iter();
        columns.map(|column| self.output.field(*column).name())
    }

    /// The values of a column of the input that partitions are by.
    ///
    /// # Errors
    /// Where they are not by it (a bug).
    pub fn partition_values(&self, column: usize, partitions: &[Slot]) -> Result<ArrayRef> {
        let at = self.rank.partition.iter().position(|c| *c == column);
        let column = at.and_then(|at| Some(self.kept.partitions.keys(partitions).ok()?.remove(at)));
        column.ok_or_else(|| Error::internal("a column that is not of the partition"))
    }
}

/// Whether any two rows have the same sort key and rank. Both are in order.
fn meet(gone: &[Shown], come: &[Shown]) -> bool {
    let (mut gone, mut come) = (gone.iter().peekable(), come.iter().peekable());
    while let (Some(went), Some(came)) = (gone.peek(), come.peek()) {
        match (went.key, went.rank).cmp(&(came.key, came.rank)) {
            Ordering::Less => _ = gone.next(),
            Ordering::Equal => return true,
            Ordering::Greater => _ = come.next(),
        }
    }
    false
}
