//! Window joins: rows of both sides that belong to the same window, once it is over.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::datatypes::SchemaRef;
use hashbrown::HashSet;

use super::join_rows::{JoinRows, Pair, Rows, Side, Sides};
use super::join_sides::JoinSides;
use super::late::{LateRows, Reason};
use super::open_windows::{OpenWindows, window_ends};
use super::{Element, Metrics, Operator, Output, ROWS_AT_ONCE};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Join, JoinTime};
use crate::state::{NONE, Slot, StatePart, TableSnapshot};
use crate::time::Watermark;

/// Keeps rows until the watermark passes their window, then joins the window (Flink: WindowJoin). Append-only.
pub struct WindowJoin {
    // Properties.
    rows: JoinRows,
    ends: Sides<usize>,
    batch_rows: usize,
    // State. Windows are part of the join key.
    sides: JoinSides,
    windows: OpenWindows<Sides<Vec<Slot>>>,
    /// The window that is being joined; none while the operator is left alone.
    firing: Option<Firing>,
    metrics: Arc<Metrics>,
}

/// A window that is over.
struct Firing {
    rows: Sides<Vec<Slot>>,
    /// How many rows of each side are done.
    done: Sides<usize>,
    /// The right rows that have a match, where the result depends on it.
    matched: HashSet<Slot>,
}

impl WindowJoin {
    /// Nothing kept yet; `left`, `right` and `output` are the schemas of the rows.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        join: &Arc<Join>,
        (left, right, output): (&SchemaRef, &SchemaRef, &SchemaRef),
        metrics: Arc<Metrics>,
        batch_rows: usize,
    ) -> Result<Self> {
        let JoinTime::Window(left_end, right_end) = join.time else {
            return Err(Error::internal("a window join without a window"));
        };
        if join.updating != (false, false) {
            return Err(Error::internal("a window join of rows that go"));
        }
        Ok(Self {
            rows: JoinRows::new(join, left, right, output)?,
            ends: Sides {
                left: left_end,
                right: right_end,
            },
            batch_rows: batch_rows.max(1),
            sides: JoinSides::new(join, left, right, &Sides::default())?,
            windows: OpenWindows::new(),
            firing: None,
            metrics,
        })
    }

    /// Joins a part of the windows that are over, a batch or a little more; returns whether there is more.
    fn fire(&mut self, out: &mut Output) -> Result<bool> {
        let mut emitted = 0;
        while emitted < self.batch_rows {
            let mut firing = match self.firing.take() {
                Some(firing) => firing,
                None => match self.windows.fire() {
                    None => return Ok(false),
                    Some((_, rows)) => Firing {
                        rows,
                        done: Sides::default(),
                        matched: HashSet::new(),
                    },
                },
            };
            if firing.done.left < firing.rows.left.len() {
                emitted += self.join(&mut firing, out)?;
            } else if firing.done.right < firing.rows.right.len() {
                emitted += self.show_unmatched(&mut firing, out)?;
            } else {
                self.forget(firing.rows)?;
                continue;
            }
            self.firing = Some(firing);
        }
        Ok(true)
    }

    /// Joins left rows, until their matches are a batch; returns how many rows that gave.
    fn join(&mut self, firing: &mut Firing, out: &mut Output) -> Result<usize> {
        let kind = self.rows.join.kind;
        let lefts = &firing.rows.left[firing.done.left..];
        // Without a condition it is enough to know of one match.
        let most = match kind.gives_pairs() || self.rows.has_filter() {
            true => usize::MAX,
            false => 1,
        };
        let (mut candidates, mut taken): (Vec<Pair>, usize) = (Vec::new(), 0);
        for left in lefts {
            if candidates.len() >= self.batch_rows || taken >= self.batch_rows {
                break;
            }
            if let Some(place) = self.sides.place_of(Side::Left, *left) {
                let rights = self.sides.matches(Side::Right, place).take(most);
                candidates.extend(rights.map(|right| (*left, right)));
            }
            taken += 1;
        }
        let from = Side::BOTH.map(|side| Rows::Table(&self.sides.of(side).table));
        let from = (from[0], from[1]);
        let mut emitted = 0;
        let mut matched: HashSet<Slot> = HashSet::new();
        for pairs in candidates.chunks(self.batch_rows) {
            let pairs = self.rows.matching(Side::Left, from, pairs)?;
            matched.extend(pairs.iter().map(|(left, _)| *left));
            if kind.depends_on_matches(Side::Right) {
                firing.matched.extend(pairs.iter().map(|(_, right)| *right));
            }
            if kind.gives_pairs() {
                emitted += pairs.len();
                let pairs = pairs.into_iter().map(|pair| (pair, true));
                out.batch(Batch::append(self.rows.result(Side::Left, from, pairs)?));
            }
        }
        let shown = lefts[..taken].iter().filter_map(|left| {
            let is_matched = matched.contains(left);
            kind.shows(Side::Left, is_matched)
                .then_some(((*left, NONE), is_matched))
        });
        let shown: Vec<(Pair, bool)> = shown.collect();
        emitted += shown.len();
        let rows = self.rows.result(Side::Left, from, shown.into_iter())?;
        out.batch(Batch::append(rows));
        firing.done.left += taken;
        Ok(emitted)
    }

    /// Emits right rows that have no match, where they are part of the result; returns how many.
    fn show_unmatched(&self, firing: &mut Firing, out: &mut Output) -> Result<usize> {
        let rights = &firing.rows.right[firing.done.right..];
        if !self.rows.join.kind.depends_on_matches(Side::Right) {
            firing.done.right += rights.len();
            return Ok(0);
        }
        let rights = &rights[..rights.len().min(self.batch_rows)];
        firing.done.right += rights.len();
        let unmatched = rights
            .iter()
            .filter(|right| !firing.matched.contains(*right));
        let unmatched: Vec<_> = unmatched.map(|right| ((*right, NONE), false)).collect();
        let emitted = unmatched.len();
        let [left, right] = Side::BOTH.map(|side| Rows::Table(&self.sides.of(side).table));
        let rows = self
            .rows
            .result(Side::Right, (right, left), unmatched.into_iter())?;
        out.batch(Batch::append(rows));
        Ok(emitted)
    }

    fn forget(&mut self, rows: Sides<Vec<Slot>>) -> Result<()> {
        let mut places = Vec::new();
        for side in Side::BOTH {
            for row in rows.of(side) {
                places.extend(self.sides.remove(side, *row)?);
            }
        }
        self.sides.forget_unused(places)
    }
}

impl Operator for WindowJoin {
    fn on_batch(&mut self, port: usize, mut batch: Batch, out: &mut Output) -> Result<()> {
        let side = Side::of_port(port);
        let ends = window_ends(&batch.rows, *self.ends.of(side))?;
        let mut late = LateRows::default();
        let mut kept: Vec<u32> = Vec::with_capacity(batch.num_rows());
        for (i, end) in ends.values().iter().enumerate() {
            match self.windows.is_over(*end, batch.behind(i)) {
                Some(watermark) => late.add(i, watermark, Reason::Window(*end)),
                None => kept.push(i as u32),
            }
        }
        let kept_ends = kept.iter().map(|i| ends.value(*i as usize));
        let kept_ends: Vec<i64> = kept_ends.collect();
        if !late.is_empty() {
            late.hand_out("WindowJoin", &batch, &self.metrics, out)?;
            batch = batch.take(&UInt32Array::from(kept))?;
        }
        let keys = self.sides.keys_of(side, &batch.rows)?;
        let places = (0..batch.num_rows()).map(|i| self.sides.place(&keys, i));
        let places: Vec<Option<Slot>> = places.collect::<Result<_>>()?;
        let slots = self.sides.append(side, &batch.rows, &places)?;
        for (end, slot) in kept_ends.into_iter().zip(slots) {
            self.windows.open(end).of_mut(side).push(slot);
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            self.windows.on_watermark(time);
            if self.fire(out)? {
                out.rest = Some(Element::Watermark(watermark));
                return Ok(());
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.sides.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let rows = self.sides.restore(&parts)?;
        for side in Side::BOTH {
            let end = *self.ends.of(side);
            for slots in rows.of(side).chunks(ROWS_AT_ONCE) {
                for (slot, end) in slots.iter().zip(self.sides.times(side, end, slots)?) {
                    self.windows.open(end).of_mut(side).push(*slot);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "window_join_tests.rs"]
mod tests;
