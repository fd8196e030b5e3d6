//! Windows that are put together from slices: HOP and CUMULATE.
//!
//! Time is cut into blocks of a window's size, and blocks into slices. A HOP window is the end of one block and the beginning of the
//! next, so it is what the slices from its start on have accumulated (a tail of the block before) and those up to its end (a head of
//! the block). Heads grow slice by slice, tails are made once when their block is over, so a window costs each key a constant number
//! of additions however many slices it has (van Herk, 1992). A CUMULATE window is a head. As blocks lie where they lie, doubles are
//! added in the same order whenever a job was restored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Schema, TimestampMillisecondType};

use super::Output;
use super::groups::Groups;
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Aggregate, Slicing};
use crate::state::{NONE, Slot};
use crate::time::{Millis, WindowKind, Windows};

/// Results are emitted, and blocks put together, by at most so many rows at a time.
const MAX_ROWS: usize = 8192;

/// The slices of windows that are not over, and what follows from them.
pub struct Slices {
    // Properties.
    aggregate: Arc<Aggregate>,
    slicing: Slicing,
    step: Millis,
    is_hop: bool,
    // State: groups of the operator, which snapshots hold. By their ends slices of which no window has fired, slices of which some
    // have, and contributions to single windows.
    open: BTreeMap<Millis, Vec<Slot>>,
    closed: BTreeMap<Millis, Vec<Slot>>,
    single: BTreeMap<Millis, Vec<Slot>>,
    // What follows from them. The block of the last window that fired, and its end.
    block: Option<Windows>,
    last: Option<Millis>,
    /// What the closed slices of the block have accumulated together, by key.
    heads: Groups,
    /// Of the block before, by key and slice, what this slice and all later ones have.
    tails: Groups,
    /// The tails that are part of the next window; by the end of their slices; and for each the next one of its key.
    current: BTreeSet<Slot>,
    tails_at: BTreeMap<Millis, Vec<Slot>>,
    next_tail: Vec<Slot>,
    /// The window that is being put together.
    whole: Groups,
}

impl Slices {
    /// No slices yet; `input`: the rows of partial results.
    ///
    /// # Errors
    /// As [`Groups::new`]; or windows that are not made of slices.
    pub fn new(aggregate: &Arc<Aggregate>, slicing: &Slicing, input: &Schema) -> Result<Self> {
        let step = slicing.windows.slice();
        let step = step.ok_or_else(|| Error::internal("windows that are not made of slices"))?;
        let groups = || Groups::new(Arc::clone(aggregate), input);
        Ok(Self {
            aggregate: Arc::clone(aggregate),
            slicing: slicing.clone(),
            step,
            is_hop: matches!(slicing.windows.kind, WindowKind::Hop { .. }),
            open: BTreeMap::new(),
            closed: BTreeMap::new(),
            single: BTreeMap::new(),
            block: None,
            last: None,
            heads: groups()?,
            tails: groups()?,
            current: BTreeSet::new(),
            tails_at: BTreeMap::new(),
            next_tail: Vec::new(),
            whole: groups()?,
        })
    }

    /// Whether partial results for this stretch of time are a slice's. The first CUMULATE window of a block is one too.
    pub fn is_slice(&self, (start, end): Windows) -> bool {
        end - start == self.step
    }

    /// The windows that a slice is part of.
    pub fn windows_of(&self, (start, _): Windows, each: impl FnMut(Millis, Millis)) {
        self.slicing.windows.windows_of(start, each);
    }

    /// A new group of the operator's, of a slice or a single window.
    pub fn add(&mut self, group: Slot, stretch: Windows) {
        let by_end = match self.is_slice(stretch) {
            true => &mut self.open,
            false => &mut self.single,
        };
        by_end.entry(stretch.1).or_default().push(group);
    }

    /// The rows of partial results or results, for other stretches of time.
    ///
    /// # Errors
    /// Where window columns are no times (a bug).
    pub fn moved_each(&self, rows: &RecordBatch, stretches: &[Windows]) -> Result<RecordBatch> {
        let Some((start, end)) = self.aggregate.window else {
            return Err(Error::internal("slices without window columns"));
        };
        let mut columns = rows.columns().to_vec();
        let starts = Int64Array::from_iter_values(stretches.iter().map(|(start, _)| *start));
        let ends = Int64Array::from_iter_values(stretches.iter().map(|(_, end)| *end));
        let times = Int64Array::from_iter_values(stretches.iter().map(|(_, end)| end - 1));
        let time = self.slicing.time.map(|time| (time, times));
        for (column, values) in [(start, starts), (end, ends)].into_iter().chain(time) {
            let millis: ArrayRef = Arc::new(values.reinterpret_cast::<TimestampMillisecondType>());
            columns[column] = cast(&millis, rows.column(column).data_type())?;
        }
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }

    /// Fires the windows that are over by `watermark`, about a batch of rows; returns whether there are more. Without `out` nothing
    /// is emitted: the windows have fired before.
    ///
    /// # Errors
    /// Where a result cannot be had.
    pub fn fire(
        &mut self,
        groups: &mut Groups,
        watermark: Millis,
        mut out: Option<&mut Output>,
    ) -> Result<bool> {
        let mut emitted = 0;
        while let Some(end) = self.next_end().filter(|end| end - 1 <= watermark) {
            if emitted >= MAX_ROWS {
                return Ok(true);
            }
            emitted += self.fire_one(groups, end, &mut out)?;
        }
        Ok(false)
    }

    /// The end of the next window that has anything in it.
    fn next_end(&self) -> Option<Millis> {
        let first = |map: &BTreeMap<Millis, Vec<Slot>>| map.keys().next().copied();
        let new = first(&self.open)
            .into_iter()
            .chain(first(&self.single))
            .min();
        let is_in_next = match (self.block, self.last) {
            (Some((_, block_end)), Some(last)) => {
                let has_heads = !self.heads.is_empty() && (self.is_hop || last < block_end);
                has_heads || !self.current.is_empty()
            }
            _ => false,
        };
        let next = self.last.and_then(|last| last.checked_add(self.step));
        next.filter(|_| is_in_next).into_iter().chain(new).min()
    }

    fn fire_one(
        &mut self,
        groups: &mut Groups,
        end: Millis,
        out: &mut Option<&mut Output>,
    ) -> Result<usize> {
        self.enter_block(groups, end)?;
        let block = self.block.unwrap_or((end - self.step, end));
        if let Some(slots) = self.open.remove(&end) {
            for slots in slots.chunks(MAX_ROWS) {
                let rows = self.moved(groups.partials(slots)?, block)?;
                add(&mut self.heads, rows)?;
            }
            self.closed.insert(end, slots);
        }
        let window = match self.is_hop {
            true => (end - (block.1 - block.0), end),
            false => (block.0, end),
        };
        while let Some(first) = self.tails_at.first_entry()
            && *first.key() <= window.0
        {
            for slot in first.remove() {
                self.current.remove(&slot);
                let next = self.next_tail[slot as usize];
                self.current.extend((next != NONE).then_some(next));
            }
        }
        let single = self.single.remove(&end).unwrap_or_default();
        let emitted = match out {
            Some(out) => self.emit(groups, window, &single, out)?,
            None => 0,
        };
        for slot in single {
            groups.remove(slot)?;
        }
        // Those that are not part of the next window.
        let gone = match self.is_hop {
            true => window.0.saturating_add(self.step),
            false if end == block.1 => end,
            false => Millis::MIN,
        };
        while let Some(first) = self.closed.first_entry()
            && *first.key() <= gone
        {
            for slot in first.remove() {
                groups.remove(slot)?;
            }
        }
        self.last = Some(end);
        Ok(emitted)
    }

    /// Where the window that ends at `end` begins a block: makes tails of the one before, and begins with no heads.
    fn enter_block(&mut self, groups: &Groups, end: Millis) -> Result<()> {
        let block = self.slicing.windows.block_of(end - 1);
        if self.block == block {
            return Ok(());
        }
        let before = self.block;
        self.block = block;
        forget(&mut self.heads)?;
        forget(&mut self.tails)?;
        self.current.clear();
        self.tails_at.clear();
        self.next_tail.clear();
        let (Some((from, to)), Some((start, _)), true) = (before, block, self.is_hop) else {
            return Ok(());
        };
        if to != start {
            return Ok(());
        }
        // From the last slice to the first: `whole` has what those after it have.
        let mut newest: Vec<Slot> = Vec::new();
        for (end, slots) in self.closed.range(from + 1..=to).rev() {
            for slots in slots.chunks(MAX_ROWS) {
                let rows = self.moved(groups.partials(slots)?, (from, to))?;
                let sums = add(&mut self.whole, rows)?;
                let own = (end - self.step, *end);
                let rows = self.moved(self.whole.partials(&sums)?, own)?;
                let tails = add(&mut self.tails, rows)?;
                for (sum, tail) in sums.into_iter().zip(tails) {
                    let at = sum as usize;
                    newest.resize(newest.len().max(at + 1), NONE);
                    self.next_tail
                        .resize(self.next_tail.len().max(tail as usize + 1), NONE);
                    self.next_tail[tail as usize] = std::mem::replace(&mut newest[at], tail);
                    self.tails_at.entry(*end).or_default().push(tail);
                }
            }
        }
        self.current
            .extend(newest.into_iter().filter(|slot| *slot != NONE));
        forget(&mut self.whole)
    }

    /// Emits the window's rows; returns how many.
    fn emit(
        &mut self,
        groups: &Groups,
        window: Windows,
        single: &[Slot],
        out: &mut Output,
    ) -> Result<usize> {
        let heads = self.heads.all();
        if self.current.is_empty() && single.is_empty() {
            return self.emit_rows(&self.heads, &heads, window, out);
        }
        let current: Vec<Slot> = self.current.iter().copied().collect();
        let parts = [
            (&self.tails, current.as_slice()),
            (&self.heads, &heads),
            (groups, single),
        ];
        for (from, slots) in parts {
            for slots in slots.chunks(MAX_ROWS) {
                let rows = self.moved(from.partials(slots)?, window)?;
                add(&mut self.whole, rows)?;
            }
        }
        let emitted = self.emit_rows(&self.whole, &self.whole.all(), window, out)?;
        forget(&mut self.whole)?;
        Ok(emitted)
    }

    fn emit_rows(
        &self,
        from: &Groups,
        slots: &[Slot],
        window: Windows,
        out: &mut Output,
    ) -> Result<usize> {
        for slots in slots.chunks(MAX_ROWS) {
            let rows = self.moved(from.results(slots)?.rows, window)?;
            out.batch(Batch::append(rows));
        }
        Ok(slots.len())
    }

    fn moved(&self, rows: RecordBatch, stretch: Windows) -> Result<RecordBatch> {
        self.moved_each(&rows, &vec![stretch; rows.num_rows()])
    }
}

/// Adds partial results, of each key one; returns the groups that they went to.
fn add(to: &mut Groups, rows: RecordBatch) -> Result<Vec<Slot>> {
    let keys = to.keys_of(&rows)?;
    to.apply(&Batch::append(rows), &keys)?;
    to.find_all(&keys)
}

fn forget(groups: &mut Groups) -> Result<()> {
    let all = groups.all();
    all.into_iter().try_for_each(|slot| groups.remove(slot))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "slices_tests.rs"]
mod tests;
