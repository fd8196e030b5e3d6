//! The first row of each partition over rows that only come: deduplication that keeps the last row, Top-1.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;

use super::changed::{Shown, difference};
use super::sort_order::{SortKeys, SortOrder};
use super::{Operator, Output};
use crate::changelog::{Batch, take_rows};
use crate::error::Result;
use crate::graph::{Rank, RankFunction};
use crate::state::{Slot, StatePart, Table, TableSnapshot};
use crate::time::Watermark;

/// Keeps one row for each partition, and emits what replaces it (Flink: Deduplicate that keeps the last row, Rank of 1). As
/// [`super::rank::TopN`], without the order of other rows that could never be shown.
pub struct TopOne {
    rank: Arc<Rank>,
    order: SortOrder,
    rows: Table,
}

impl TopOne {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type has no order or cannot be kept as state.
    pub fn new(rank: &Arc<Rank>, input: &SchemaRef) -> Result<Self> {
        let key = &rank.partition;
        Ok(Self {
            order: SortOrder::new(&rank.order, input)?,
            rows: Table::new("rows", Arc::clone(input), key, key, rank.ttl)?,
            rank: Arc::clone(rank),
        })
    }

    /// Whether this is all that a rank needs.
    pub fn does(rank: &Rank) -> bool {
        let first = (rank.from, rank.to) == (1, 1) && rank.function == RankFunction::RowNumber;
        first && !rank.with_rank && !rank.retracts
    }

    /// Whether a row, coming after another, takes its place.
    fn is_before(&self, row: (&SortKeys, usize), other: (&SortKeys, usize)) -> bool {
        let order = row.0.get(row.1).cmp(other.0.get(other.1));
        order.is_lt() || (order.is_eq() && self.rank.last_first)
    }
}

impl Operator for TopOne {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let rows = &batch.rows;
        let keys = self.rank.partition.iter();
        let keys: Vec<ArrayRef> = keys.map(|c| Arc::clone(rows.column(*c))).collect();
        let keys = self.rows.keys_of(&keys, rows.num_rows())?;
        let orders = self.order.keys(rows)?;
        // The first of each partition in the batch, by where the partition is first mentioned.
        let mut best: Vec<Option<usize>> = vec![None; rows.num_rows()];
        for (row, place) in keys.firsts().into_iter().enumerate() {
            let is_better = |other| self.is_before((&orders, row), (&orders, other));
            if best[place].is_none_or(is_better) {
                best[place] = Some(row);
            }
        }
        let best: Vec<usize> = best.into_iter().flatten().collect();
        let slots: Vec<Option<Slot>> = best.iter().map(|row| self.rows.find(&keys, *row)).collect();
        let known: Vec<Slot> = slots.iter().flatten().copied().collect();
        let kept = self.rows.columns(self.order.columns(), &known)?;
        let kept = self.order.keys_of(&kept)?;
        // Those that replace a row, and then those that are the first of their partition.
        let (mut replacing, mut replaced, mut new) = (Vec::new(), Vec::new(), Vec::new());
        let mut at = 0;
        for (row, slot) in best.into_iter().zip(slots) {
            let Some(slot) = slot else {
                new.push(row);
                continue;
            };
            if self.is_before((&orders, row), (&kept, at)) {
                replacing.push(row);
                replaced.push(slot);
            }
            at += 1;
        }
        let before = self.rows.rows(&replaced)?;
        let winners: Vec<usize> = replacing.into_iter().chain(new).collect();
        let written = winners
            .iter()
            .map(|row| Ok(self.rows.write(&keys, *row)?.0));
        let written: Vec<Slot> = written.collect::<Result<_>>()?;
        let indices = UInt32Array::from_iter_values(winners.iter().map(|row| *row as u32));
        let after: RecordBatch = take_rows(rows, &indices)?;
        self.rows.set_rows(&written, after.columns())?;
        out.batch(difference(&Shown::all(before), &Shown::all(after), 0)?);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            self.rows.expire_by_watermark(time)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.rows.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.rows.expire_by_clock(now)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.rows.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.rows.restore_all(&parts)
    }
}
