//! Interval joins: rows of both sides whose times are within bounds of each other. Rows are freed once no match can come.
//!
//! A row's *expiry* is the time of the last row that could match it: `time - lower` for a left row, `time + upper` for a
//! right row. It is kept until the watermark is past that (as in Flink, whose cache drops rows of times before the bound), so a
//! row of the other side that is only just late (its time is the watermark) still finds it.
//!
//! In Flink a late row finds what the cache of the other side still holds, which depends on how the two inputs and their
//! partitions interleave. Here a pair is given iff neither row was `behind` a watermark past the other's expiry when it left
//! its source. That says the same of both rows, so it does not matter which comes first; and it implies that the one that
//! comes first is still there: the merged watermark is never ahead of that of the second row's own partition.
//!
//! What is emitted is older than the input's watermark, by no more than the bounds allow; the watermark that goes on is held
//! back by so much, so nothing emitted is late by it. Only rows without a match (outer joins) may have been late themselves:
//! they go on with their own watermark, held back likewise.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array};
use arrow::datatypes::SchemaRef;

use super::join_rows::{JoinRows, Pair, Rows, Side, Sides};
use super::join_sides::JoinSides;
use super::{Element, Operator, Output, ROWS_AT_ONCE, event_times};
use crate::changelog::{Batch, take_rows};
use crate::error::{Error, Result};
use crate::graph::{Join, JoinTime};
use crate::state::{NONE, Slot, StatePart, TableSnapshot};
use crate::time::{Millis, Watermark};

/// The rows of one side that wait, in order of time and then of arrival.
#[derive(Debug, Default)]
struct Order {
    /// Of each key, with their numbers.
    of_key: BTreeMap<(Slot, Millis, u64), Slot>,
    /// All, with their numbers.
    all: BTreeMap<(Millis, u64), Slot>,
    arrived: u64,
}

impl Order {
    fn push(&mut self, place: Slot, time: Millis, row: Slot) {
        self.of_key.insert((place, time, self.arrived), row);
        self.all.insert((time, self.arrived), row);
        self.arrived += 1;
    }

    fn between(
        &self,
        place: Slot,
        from: Millis,
        to: Millis,
    ) -> impl Iterator<Item = (Millis, Slot)> {
        let range = (from <= to).then_some((place, from, 0)..=(place, to, u64::MAX));
        let rows = range.into_iter().flat_map(|range| self.of_key.range(range));
        rows.map(|((_, time, _), row)| (*time, *row))
    }

    /// Takes out the first rows, with their times, that are before `time`.
    fn pop_before(
        &mut self,
        time: Millis,
        most: usize,
        place: impl Fn(Slot) -> Option<Slot>,
    ) -> Vec<(Millis, Slot)> {
        let mut popped = Vec::new();
        while popped.len() < most
            && let Some(first) = self.all.first_entry()
            && first.key().0 < time
        {
            let ((time, number), row) = first.remove_entry();
            if let Some(place) = place(row) {
                self.of_key.remove(&(place, time, number));
            }
            popped.push((time, row));
        }
        popped
    }
}

/// Joins two append-only inputs within bounds of their times (Flink: IntervalJoin). Append-only.
pub struct IntervalJoin {
    // Properties.
    rows: JoinRows,
    times: Sides<usize>,
    lower: Millis,
    upper: Millis,
    batch_rows: usize,
    // State.
    sides: JoinSides,
    order: Sides<Order>,
    watermark: Millis,
}

/// The extra columns of each row: for a late row, the watermark of its source partition; in an outer join, whether the row has a
/// match. No column of a query can have such a name.
const BEHIND: &str = "__behind";
const MATCHED: &str = "__matched";

/// A row without a match, by number.
struct Unmatched {
    row: u32,
    time: Millis,
    behind: Option<Millis>,
}

impl IntervalJoin {
    /// Nothing kept yet. Nothing is ever dropped as late (Flink neither).
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        join: &Arc<Join>,
        left: &SchemaRef,
        right: &SchemaRef,
        output: &SchemaRef,
        batch_rows: usize,
    ) -> Result<Self> {
        let JoinTime::Interval {
            left: left_time,
            right: right_time,
            lower,
            upper,
        } = join.time
        else {
            return Err(Error::internal("an interval join without bounds"));
        };
        if !join.kind.gives_pairs() || join.updating != (false, false) {
            return Err(Error::internal(
                "a semi or anti join with bounds of time, or one of rows that go",
            ));
        }
        let own = |side: Side| -> Vec<&str> {
            let is_outer = join.kind.depends_on_matches(side);
            [BEHIND]
                .into_iter()
                .chain(is_outer.then_some(MATCHED))
                .collect()
        };
        let own = Sides {
            left: own(Side::Left),
            right: own(Side::Right),
        };
        Ok(Self {
            rows: JoinRows::new(join, left, right, output)?,
            times: Sides {
                left: left_time,
                right: right_time,
            },
            lower,
            upper,
            batch_rows: batch_rows.max(1),
            sides: JoinSides::new(join, left, right, &own)?,
            order: Sides::default(),
            watermark: Millis::MIN,
        })
    }

    /// How long after a row of `side` the last row that matches it can be.
    fn hold(&self, side: Side) -> Millis {
        match side {
            Side::Left => self.lower.saturating_neg(),
            Side::Right => self.upper,
        }
    }

    /// The times of the other side that match a row of `side`: from, to.
    fn matching_times(&self, side: Side, time: Millis) -> (Millis, Millis) {
        match side {
            Side::Left => (
                time.saturating_sub(self.upper),
                time.saturating_sub(self.lower),
            ),
            Side::Right => (
                time.saturating_add(self.lower),
                time.saturating_add(self.upper),
            ),
        }
    }

    /// How far behind the watermark an emitted row can be, and a millisecond more. The first row of a pair is there as long as
    /// the watermark is not past its expiry; the second is no further away from it than the bounds.
    fn delay(&self) -> Millis {
        let width = self.upper.saturating_sub(self.lower);
        let furthest = width.max(self.upper).max(self.lower.saturating_neg());
        furthest.max(0).saturating_add(1)
    }

    /// Whether a row that was `behind` a watermark is too late for a row of `side` at `time`.
    fn is_past(&self, side: Side, time: Millis, behind: Option<Millis>) -> bool {
        behind.is_some_and(|w| w > time.saturating_add(self.hold(side)))
    }

    fn is_outer(&self, side: Side) -> bool {
        self.rows.join.kind.depends_on_matches(side)
    }

    /// Finds the matches of new rows and emits the pairs, until that is a batch; remembers on both sides who has one. Returns
    /// that of the rows it was.
    fn pair(
        &mut self,
        side: Side,
        batch: &Batch,
        places: &[Option<Slot>],
        times: &Int64Array,
        out: &mut Output,
    ) -> Result<Vec<bool>> {
        let other = side.other();
        let mut is_matched = Vec::with_capacity(places.len());
        let mut candidates: Vec<Pair> = Vec::new();
        let mut emitted = 0;
        for (i, place) in places.iter().enumerate() {
            is_matched.push(false);
            if let Some(place) = place {
                let (time, behind) = (times.value(i), batch.behind(i));
                let (from, to) = self.matching_times(side, time);
                let rows = self.sides.of(other);
                for (of_other, row) in self.order.of(other).between(*place, from, to) {
                    let other_behind = rows.table.number(rows.own, row);
                    if !self.is_past(other, of_other, behind)
                        && !self.is_past(side, time, other_behind)
                    {
                        candidates.push((i as u32, row));
                    }
                }
            }
            if candidates.len() >= self.batch_rows || i + 1 == places.len() {
                emitted += self.settle(side, batch, &candidates, &mut is_matched, out)?;
                candidates.clear();
                if emitted >= self.batch_rows {
                    break;
                }
            }
        }
        Ok(is_matched)
    }

    /// Emits those of the candidates that match; returns how many.
    fn settle(
        &mut self,
        side: Side,
        batch: &Batch,
        candidates: &[Pair],
        is_matched: &mut [bool],
        out: &mut Output,
    ) -> Result<usize> {
        let other = side.other();
        let mut emitted = 0;
        for pairs in candidates.chunks(self.batch_rows) {
            let others = self.sides.of(other);
            let from = (Rows::Batch(&batch.rows), Rows::Table(&others.table));
            let pairs = self.rows.matching(side, from, pairs)?;
            let all = pairs.iter().map(|pair| (*pair, true));
            out.batch(Batch::append(self.rows.result(side, from, all)?));
            emitted += pairs.len();
            for (i, _) in &pairs {
                is_matched[*i as usize] = true;
            }
            if self.is_outer(other) {
                let others = self.sides.of_mut(other);
                for (_, row) in pairs {
                    if others.table.int(others.own + 1, row) == 0 {
                        others.table.set_int(others.own + 1, row, 1)?;
                        others.table.touch(row);
                    }
                }
            }
        }
        Ok(emitted)
    }

    /// Emits rows of `side` that have no match.
    fn pad(&self, side: Side, from: Rows, rows: &[Unmatched], out: &mut Output) -> Result<()> {
        let nothing = Rows::Table(&self.sides.of(side.other()).table);
        let delay = self.delay();
        for rows in rows.chunks(self.batch_rows) {
            let alone = rows.iter().map(|u| ((u.row, NONE), false));
            let mut batch = Batch::append(self.rows.result(side, (from, nothing), alone)?);
            let behind = |u: &Unmatched| {
                let watermark = u.behind?.saturating_sub(delay);
                (u.time <= watermark.saturating_add(1)).then_some(watermark)
            };
            let behind: Int64Array = rows.iter().map(behind).collect();
            batch.behind = (behind.null_count() < behind.len()).then_some(behind);
            out.batch(batch);
        }
        Ok(())
    }

    /// Keeps the rows at `indices` of a batch until no match can come.
    fn wait(
        &mut self,
        side: Side,
        batch: &Batch,
        indices: Vec<u32>,
        times: &Int64Array,
        (places, is_matched): (&[Option<Slot>], &[bool]),
    ) -> Result<()> {
        let each = || indices.iter().map(|i| *i as usize);
        let own_places: Vec<Option<Slot>> = each().map(|i| places[i]).collect();
        let rows = match indices.len() == batch.num_rows() {
            true => batch.rows.clone(),
            false => take_rows(&batch.rows, &UInt32Array::from(indices.clone()))?,
        };
        let slots = self.sides.append(side, &rows, &own_places)?;
        let rows = self.sides.of_mut(side);
        if batch.behind.is_some() {
            let behind: Int64Array = each().map(|i| batch.behind(i)).collect();
            let behind: ArrayRef = Arc::new(behind);
            rows.table.set(rows.own, &slots, &behind)?;
        }
        let order = self.order.of_mut(side);
        for (i, slot) in each().zip(slots) {
            if is_matched[i] && self.rows.join.kind.depends_on_matches(side) {
                rows.table.set_int(rows.own + 1, slot, 1)?;
            }
            if let Some(place) = places[i] {
                order.push(place, times.value(i), slot);
            }
        }
        Ok(())
    }

    /// Drops at most one batch of the rows of `side` that nothing can match any more; returns whether these were all.
    fn give_up(&mut self, side: Side, out: &mut Output) -> Result<bool> {
        let before = self.watermark.saturating_sub(self.hold(side));
        let sides = &self.sides;
        let place = |row| sides.place_of(side, row);
        let order = self.order.of_mut(side);
        let popped = order.pop_before(before, self.batch_rows, place);
        if self.is_outer(side) {
            let rows = self.sides.of(side);
            let unmatched = popped
                .iter()
                .filter(|(_, row)| rows.table.int(rows.own + 1, *row) == 0);
            let unmatched = unmatched.map(|(time, row)| Unmatched {
                row: *row,
                time: *time,
                behind: rows.table.number(rows.own, *row),
            });
            let unmatched: Vec<_> = unmatched.collect();
            self.pad(side, Rows::Table(&rows.table), &unmatched, out)?;
        }
        let is_last = popped.len() < self.batch_rows;
        let mut places = Vec::with_capacity(popped.len());
        for (_, row) in popped {
            places.extend(self.sides.remove(side, row)?);
        }
        self.sides.forget_unused(places)?;
        Ok(is_last)
    }
}

impl Operator for IntervalJoin {
    fn on_batch(&mut self, port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let side = Side::of_port(port);
        let times = event_times(batch.rows.column(*self.times.of(side)))?;
        if times.null_count() > 0 {
            return Err(
                Error::data("the time attribute of an interval join is NULL").with_help(
                    "RowTime field should not be null: filter such rows away before the join",
                ),
            );
        }
        let keys = self.sides.keys_of(side, &batch.rows)?;
        let places = (0..batch.num_rows()).map(|i| self.sides.place(&keys, i));
        let places: Vec<Option<Slot>> = places.collect::<Result<_>>()?;
        let matched = self.pair(side, &batch, &places, &times, out)?;
        let (hold, is_outer) = (self.hold(side), self.is_outer(side));
        let (mut waiting, mut unmatched, mut passing) = (Vec::new(), Vec::new(), Vec::new());
        for (i, is_matched) in matched.iter().enumerate() {
            let time = times.value(i);
            if places[i].is_some() && self.watermark <= time.saturating_add(hold) {
                waiting.push(i as u32);
                continue;
            }
            passing.extend(places[i]);
            if is_outer && !is_matched {
                unmatched.push(Unmatched {
                    row: i as u32,
                    time,
                    behind: batch.behind(i),
                });
            }
        }
        self.pad(side, Rows::Batch(&batch.rows), &unmatched, out)?;
        self.wait(side, &batch, waiting, &times, (&places, &matched))?;
        passing.extend(places.iter().skip(matched.len()).flatten());
        self.sides.forget_unused(passing)?;
        if matched.len() < batch.num_rows() {
            let rest = matched.len() as u32..batch.num_rows() as u32;
            let rest = batch.take(&UInt32Array::from_iter_values(rest))?;
            out.rest = Some(Element::Batch(rest));
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        let Watermark::At(now) = watermark else {
            out.watermark(watermark);
            return Ok(());
        };
        self.watermark = now;
        for side in Side::BOTH {
            if !self.give_up(side, out)? {
                out.rest = Some(Element::Watermark(watermark));
                return Ok(());
            }
        }
        out.watermark(match now {
            Millis::MAX => watermark,
            _ => Watermark::At(now.saturating_sub(self.delay())),
        });
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.sides.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let rows = self.sides.restore(&parts)?;
        for side in Side::BOTH {
            let time = *self.times.of(side);
            for slots in rows.of(side).chunks(ROWS_AT_ONCE) {
                for (slot, time) in slots.iter().zip(self.sides.times(side, time, slots)?) {
                    if let Some(place) = self.sides.place_of(side, *slot) {
                        self.order.of_mut(side).push(place, time, *slot);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "interval_join_tests.rs"]
mod tests;
