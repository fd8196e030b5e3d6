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
use arrow::datatypes::{Field, FieldRef, Schema, TimestampMillisecondType};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::aggregator::accumulator;
use super::groups::{Groups, States};
use super::{Output, ROWS_AT_ONCE};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Aggregate, Slicing};
use crate::state::{NONE, Slot, Table};
use crate::time::{Millis, WindowKind, Windows};

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
    /// By key what the closed slices of the block have accumulated together: the columns of all calls' states, one after another.
    heads: Table,
    /// The keys that have a head, and whether a key has.
    with_head: Vec<Slot>,
    has_head: Vec<bool>,
    /// Of the block before, for each slice of a key what this slice and all later ones have.
    tails: Table,
    /// The key of each tail, and the next tail of the same key.
    of_tail: Vec<(Slot, Slot)>,
    /// The tails that are part of the next window; and all by the end of their slices.
    current: BTreeSet<Slot>,
    tails_at: BTreeMap<Millis, Vec<Slot>>,
}

/// Keys in the table of heads, and what each has accumulated.
type Accumulated = (Vec<Slot>, States);

/// One for each call.
type Accumulators = Vec<Box<dyn GroupsAccumulator>>;

impl Slices {
    /// No slices yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept, or windows are not made of slices.
    pub fn new(aggregate: &Arc<Aggregate>, slicing: &Slicing) -> Result<Self> {
        let step = slicing.windows.slice();
        let step = step.ok_or_else(|| Error::internal("windows that are not made of slices"))?;
        let all = aggregate.partial_schema.fields();
        let states = all[aggregate.group.len()..].iter().enumerate();
        let states = states.map(|(i, field)| {
            let field = field.as_ref().clone().with_name(format!("__state{i}"));
            FieldRef::new(field)
        });
        let states: Vec<FieldRef> = states.collect();
        let keys = aggregate.key.iter().map(|key| Arc::clone(&all[*key]));
        let fields: Vec<Arc<Field>> = keys.chain(states.iter().cloned()).collect();
        let key: Vec<usize> = (0..aggregate.key.len()).collect();
        let tails = Table::new("", Arc::new(Schema::new(states)), &[], &[], None)?;
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
            heads: Table::new("", Arc::new(Schema::new(fields)), &key, &key, None)?,
            with_head: Vec::new(),
            has_head: Vec::new(),
            tails: tails.without_index(),
            of_tail: Vec::new(),
            current: BTreeSet::new(),
            tails_at: BTreeMap::new(),
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

    /// Rows of partial results, for other stretches of time.
    ///
    /// # Errors
    /// Where window columns are no times (a bug).
    pub fn moved(&self, rows: &RecordBatch, stretches: &[Windows]) -> Result<RecordBatch> {
        let mut columns = rows.columns().to_vec();
        for (column, values) in self.window_columns(stretches)? {
            columns[column] = values;
        }
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }

    /// The columns of window_start, window_end and window_time, and where they are among the grouping columns.
    fn window_columns(&self, stretches: &[Windows]) -> Result<Vec<(usize, ArrayRef)>> {
        let Some((start, end)) = self.aggregate.window else {
            return Err(Error::internal("slices without window columns"));
        };
        let starts = Int64Array::from_iter_values(stretches.iter().map(|(start, _)| *start));
        let ends = Int64Array::from_iter_values(stretches.iter().map(|(_, end)| *end));
        let times = self.slicing.time.map(|time| {
            let times = stretches.iter().map(|(_, end)| end - 1);
            (time, Int64Array::from_iter_values(times))
        });
        let columns = [(start, starts), (end, ends)].into_iter().chain(times);
        let columns = columns.map(|(column, values)| {
            let millis: ArrayRef = Arc::new(values.reinterpret_cast::<TimestampMillisecondType>());
            let wanted = self.aggregate.partial_schema.field(column).data_type();
            Ok((column, cast(&millis, wanted)?))
        });
        columns.collect()
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
            if emitted >= ROWS_AT_ONCE {
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
                let has_heads = !self.with_head.is_empty() && (self.is_hop || last < block_end);
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
            let slices = self.accumulated(groups, &slots)?;
            self.add_to_heads(slices, self.is_hop)?;
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
                let (_, next) = self.of_tail[slot as usize];
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

    /// The keys of groups of the operator's, and what the groups have accumulated.
    fn accumulated(&mut self, groups: &Groups, slots: &[Slot]) -> Result<Accumulated> {
        let all = groups.keys(slots)?;
        let keys = self.aggregate.key.iter().map(|key| Arc::clone(&all[*key]));
        let keys = self.heads.keys_of(&keys.collect::<Vec<_>>(), slots.len())?;
        let ids = (0..slots.len()).map(|i| Ok(self.heads.write(&keys, i)?.0));
        let ids: Vec<Slot> = ids.collect::<Result<_>>()?;
        Ok((ids, groups.states(slots)?))
    }

    /// Splits columns of all states by call.
    fn by_call(&self, column: impl Fn(usize) -> Result<ArrayRef>) -> Result<States> {
        let mut next = 0;
        let calls = self.aggregate.calls.iter().map(|call| {
            let first = next;
            next += call.function.state_fields()?.len();
            (first..next).map(&column).collect()
        });
        calls.collect()
    }

    fn heads(&self, ids: &[Slot]) -> Result<States> {
        let first = self.aggregate.key.len();
        self.by_call(|i| self.heads.values(first + i, ids))
    }

    /// What keys have accumulated in several places, together: the keys, and for each call an accumulator with a group for each of
    /// them. In each place a key may be once.
    fn together(&self, places: &[Accumulated]) -> Result<(Vec<Slot>, Accumulators)> {
        let calls = self.aggregate.calls.iter();
        let mut all = calls.map(accumulator).collect::<Result<Vec<_>>>()?;
        let mut keys: Vec<Slot> = Vec::new();
        let mut position_of: Vec<usize> = vec![usize::MAX; self.heads.slots()];
        for (ids, states) in places {
            let mut position = |id: &Slot| {
                let position = &mut position_of[*id as usize];
                if *position == usize::MAX {
                    *position = keys.len();
                    keys.push(*id);
                }
                *position
            };
            let positions: Vec<usize> = ids.iter().map(&mut position).collect();
            if positions.is_empty() {
                continue;
            }
            for (accumulator, states) in all.iter_mut().zip(states) {
                accumulator.merge_batch(states, &positions, keys.len())?;
            }
        }
        Ok((keys, all))
    }

    /// The newest slices come first in a HOP window, as in Flink: it matters for MIN and MAX of NaN, and for functions of doubles.
    fn add_to_heads(&mut self, slices: Accumulated, are_newest: bool) -> Result<()> {
        self.has_head.resize(self.heads.slots(), false);
        let mut known = Vec::with_capacity(slices.0.len());
        for id in &slices.0 {
            match std::mem::replace(&mut self.has_head[*id as usize], true) {
                true => known.push(*id),
                false => self.with_head.push(*id),
            }
        }
        let heads = self.heads(&known)?;
        let heads = (known, heads);
        let (ids, all) = self.together(&match are_newest {
            true => [slices, heads],
            false => [heads, slices],
        })?;
        let mut column = self.aggregate.key.len();
        for mut accumulator in all {
            for state in accumulator.state(EmitTo::All)? {
                self.heads.set(column, &ids, &state)?;
                column += 1;
            }
        }
        Ok(())
    }

    /// Where the window that ends at `end` begins a block: makes tails of the one before, and begins with no heads.
    fn enter_block(&mut self, groups: &Groups, end: Millis) -> Result<()> {
        let block = self.slicing.windows.block_of(end - 1);
        if self.block == block {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.block, block);
        for tail in self.tails.all() {
            self.tails.remove(tail)?;
        }
        self.current.clear();
        self.tails_at.clear();
        self.forget_heads();
        if let (Some((from, to)), Some((start, _)), true) = (before, block, self.is_hop)
            && to == start
        {
            self.make_tails(groups, from, to)?;
        }
        let needed: BTreeSet<Slot> = self
            .current
            .iter()
            .map(|t| self.of_tail[*t as usize].0)
            .collect();
        for key in self.heads.all() {
            if !needed.contains(&key) {
                self.heads.remove(key)?;
            }
        }
        Ok(())
    }

    /// From the last slice of a block to the first: heads have what those after it have.
    fn make_tails(&mut self, groups: &Groups, from: Millis, to: Millis) -> Result<()> {
        let mut newest: Vec<Slot> = vec![NONE; self.heads.slots()];
        let slices: Vec<(Millis, Vec<Slot>)> = self
            .closed
            .range(from + 1..=to)
            .rev()
            .map(|(end, slots)| (*end, slots.clone()))
            .collect();
        for (end, slots) in slices {
            let slices = self.accumulated(groups, &slots)?;
            newest.resize(self.heads.slots(), NONE);
            let keys = slices.0.clone();
            self.add_to_heads(slices, false)?;
            let nothing = self.tails.keys_of(&[], slots.len())?;
            let mut tails = Vec::with_capacity(slots.len());
            for (i, key) in keys.iter().enumerate() {
                let (tail, _) = self.tails.write(&nothing, i)?;
                let next = std::mem::replace(&mut newest[*key as usize], tail);
                let slots = self.tails.slots();
                self.of_tail.resize(slots, (NONE, NONE));
                self.of_tail[tail as usize] = (*key, next);
                tails.push(tail);
            }
            let states = self.heads(&keys)?;
            for (column, values) in states.iter().flatten().enumerate() {
                self.tails.set(column, &tails, values)?;
            }
            self.tails_at.insert(end, tails);
        }
        let newest = newest.into_iter().filter(|tail| *tail != NONE);
        self.current.extend(newest);
        self.forget_heads();
        Ok(())
    }

    fn forget_heads(&mut self) {
        self.with_head.clear();
        self.has_head.clear();
    }

    /// Emits the window's rows; returns how many.
    fn emit(
        &mut self,
        groups: &Groups,
        window: Windows,
        single: &[Slot],
        out: &mut Output,
    ) -> Result<usize> {
        let current: Vec<Slot> = self.current.iter().copied().collect();
        let of_tails = current.iter().map(|tail| self.of_tail[*tail as usize].0);
        let tails = self.by_call(|i| self.tails.values(i, &current))?;
        let tails = (of_tails.collect(), tails);
        let heads = (self.with_head.clone(), self.heads(&self.with_head)?);
        let single = self.accumulated(groups, single)?;
        let (ids, all) = self.together(&[heads, tails, single])?;
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.aggregate.group.len()];
        for (key, values) in self.aggregate.key.iter().zip(self.heads.keys(&ids)?) {
            columns[*key] = Some(values);
        }
        for (column, values) in self.window_columns(&vec![window; ids.len()])? {
            columns[column] = Some(values);
        }
        let mut columns: Vec<ArrayRef> = columns.into_iter().flatten().collect();
        for mut accumulator in all {
            columns.push(accumulator.evaluate(EmitTo::All)?);
        }
        let rows = RecordBatch::try_new(Arc::clone(&self.aggregate.result_schema), columns)?;
        for from in (0..ids.len()).step_by(ROWS_AT_ONCE) {
            let slice = rows.slice(from, ROWS_AT_ONCE.min(ids.len() - from));
            out.batch(Batch::append(slice));
        }
        Ok(ids.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "slices_tests.rs"]
mod tests;
