//! OVER (... ORDER BY any columns), over any input: what a batch changes is computed anew from the first row on that it changes.

use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::{Int64Type, SchemaRef};
use flowline_udfs::{Before, Segment, Step};
use hashbrown::{HashMap, HashSet};

use super::changed::{Shown, consolidated, difference};
use super::ordered_rows::{List, OrderedRows, Place};
use super::over_frame::Calls;
use super::over_marks::{APART, Marks};
use super::over_work::Work;
use super::sort_order::SortKeys;
use super::{Operator, Output};
use crate::changelog::{Batch, take_rows};
use crate::error::{Error, Result};
use crate::graph::{Over, OverTime};
use crate::state::{Slot, StatePart, TableSnapshot};
use crate::time::Watermark;

/// Keeps all rows of every partition.
pub struct UpdatingOver {
    // Properties.
    calls: Calls,
    schema: SchemaRef,
    /// Number of columns of the input.
    width: usize,
    // State.
    /// The rows; with arguments that would have other values the next time.
    kept: OrderedRows,
    marks: Marks,
    /// How many rows the last batch made compute.
    #[cfg(test)]
    computed: usize,
}

/// A partition that a batch changes.
struct Changed {
    /// The partition.
    partition: Slot,
    /// The first place at which anything changes.
    from: Option<Place>,
    /// The rows that were there from that place on: the last ones first, in pieces.
    before: Vec<Vec<Slot>>,
}

impl Changed {
    /// A row comes or goes at this place.
    fn begin(&mut self, list: &List, place: &Place, by_peers: bool) {
        let place = match by_peers {
            true => (place.0.clone(), i64::MIN),
            false => place.clone(),
        };
        let up_to = match &self.from {
            Some(from) if *from <= place => return,
            Some(from) => Bound::Excluded(from),
            None => Bound::Unbounded,
        };
        let rows = list.rows.range((Bound::Included(&place), up_to));
        self.before.push(rows.map(|(_, slot)| *slot).collect());
        self.from = Some(place);
    }
}

/// Rows of a partition whose results are computed.
struct Chain {
    partition: Slot,
    /// The mark after which they come.
    mark: Option<Slot>,
    /// Where the rows begin that are looked at, those that have results, and those that the batch may change; and where all end.
    from: [usize; 3],
    end: usize,
    /// The index of the first result.
    result: usize,
}

impl Chain {
    /// The rows that the batch may change, and their results.
    fn changing(&self) -> impl Iterator<Item = (usize, u32)> {
        let [_, first, from] = self.from;
        (from..self.end).map(move |row| (row, (self.result + row - first) as u32))
    }
}

impl UpdatingOver {
    /// No rows yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or a function is not supported.
    pub fn new(over: &Arc<Over>, input: &SchemaRef, schema: &SchemaRef) -> Result<Self> {
        let OverTime::Updating(order) = &over.time else {
            return Err(Error::internal("an OVER by time is OverAggregate"));
        };
        let calls = Calls::new(over, input)?;
        let more = match calls.are_volatile() {
            true => calls.argument_schema().fields().to_vec(),
            false => Vec::new(),
        };
        Ok(Self {
            kept: OrderedRows::new(input, &over.partition, order, false, true, &more, over.ttl)?,
            marks: Marks::new(calls.states())?,
            calls,
            schema: Arc::clone(schema),
            width: input.fields().len(),
            #[cfg(test)]
            computed: 0,
        })
    }

    /// How many rows the last batch made compute, and how many marks there are.
    #[cfg(test)]
    pub fn computed(&self) -> usize {
        self.computed
    }

    #[cfg(test)]
    pub fn marks(&self) -> usize {
        self.marks.count()
    }

    /// Puts rows in and takes them out; returns the partitions in order of first mention, and the rows that went, which are still
    /// in the table.
    fn apply(&mut self, batch: &Batch) -> Result<(Vec<Changed>, HashSet<Slot>)> {
        let incoming = self.kept.incoming(batch)?;
        let by_peers = self.calls.by_peers();
        let mut changed: Vec<Changed> = Vec::new();
        let mut positions: HashMap<Slot, usize> = HashMap::new();
        let (mut slots, mut gone) = (Vec::with_capacity(incoming.coming.len()), HashSet::new());
        for row in 0..batch.num_rows() {
            let weight = batch.weight(row);
            let found = self.kept.partitions.find(&incoming.partitions, row);
            if found.is_none() && weight <= 0 {
                continue;
            }
            let partition = self.kept.partition(found, &incoming, row)?;
            let position = *positions.entry(partition).or_insert_with(|| {
                changed.push(Changed {
                    partition,
                    from: None,
                    before: Vec::new(),
                });
                changed.len() - 1
            });
            let change = &mut changed[position];
            for _ in 0..weight {
                let copy = slots.len();
                let place = self.kept.place_of(&incoming, row, copy);
                change.begin(self.kept.list(partition), &place, by_peers);
                slots.push(self.kept.insert(partition, place, &incoming, row, copy)?);
            }
            for _ in weight..0 {
                let Some(place) = self.kept.earliest(partition, &incoming, row) else {
                    break;
                };
                change.begin(self.kept.list(partition), &place, by_peers);
                gone.extend(self.kept.remove(partition, &place, &incoming, row));
            }
        }
        let coming = take_rows(&batch.rows, &incoming.coming)?;
        let mut columns = coming.columns().to_vec();
        if self.calls.are_volatile() {
            columns.push(incoming.numbers);
            columns.extend(self.calls.evaluate(&coming)?);
        }
        self.kept.rows.set_rows(&slots, &columns)?;
        Ok((changed, gone))
    }

    /// The rows that are to be computed of each partition, as they were before the batch and as they are after it; and their slots.
    fn chains(&self, changed: &[Changed]) -> (Vec<[Chain; 2]>, Vec<Slot>) {
        let (mut chains, mut slots) = (Vec::new(), Vec::new());
        let mut results = 0;
        for change in changed {
            let Some(from) = &change.from else { continue };
            let list = self.kept.list(change.partition);
            let mark = self.marks.before(change.partition, from);
            let (mut context, mut first) = (Vec::new(), Bound::Unbounded);
            if let Some((place, _)) = mark {
                // The row of the mark may be equal in order to the next, and LAG looks back.
                let before = list.rows.range(..=place).rev();
                context.extend(
                    before
                        .take(self.calls.reach().max(1))
                        .map(|(_, slot)| *slot),
                );
                context.reverse();
                first = Bound::Excluded(place);
            }
            let mut chain = |rows: &mut dyn Iterator<Item = &Slot>| {
                let start = slots.len();
                slots.extend(&context);
                let first_result = slots.len();
                let same = list.rows.range((first, Bound::Excluded(from)));
                slots.extend(same.map(|(_, slot)| *slot));
                let mut from = [start, first_result, slots.len()];
                slots.extend(rows);
                // Nothing to compute.
                if slots.len() == from[2] {
                    slots.truncate(start);
                    from = [start; 3];
                }
                let result = results;
                results += slots.len() - from[1];
                Chain {
                    partition: change.partition,
                    mark: mark.map(|(_, slot)| slot).filter(|_| slots.len() > start),
                    from,
                    end: slots.len(),
                    result,
                }
            };
            let before = chain(&mut change.before.iter().rev().flatten());
            let after = chain(&mut list.rows.range(from..).map(|(_, slot)| slot));
            chains.push([before, after]);
        }
        (chains, slots)
    }

    /// The steps of all chains, and the marks to be made: segment, and the row it ends with.
    fn work(
        &self,
        chains: &[[Chain; 2]],
        rows: &RecordBatch,
        orders: &SortKeys,
    ) -> Result<(Work, Vec<(usize, usize)>)> {
        let mut work = Work {
            arguments: match self.calls.are_volatile() {
                true => rows.columns()[self.width + 1..].to_vec(),
                false => self.calls.evaluate(rows)?,
            },
            ..Work::default()
        };
        let (has_marks, by_peers) = (self.calls.are_small(), self.calls.by_peers());
        let (mut stored, mut marks) = (0, Vec::new());
        for (is_after, chain) in chains.iter().flat_map(|[b, a]| [(false, b), (true, a)]) {
            let [first, mut at, _] = chain.from;
            let is_tie = |row: usize| row > first && orders.get(row) == orders.get(row - 1);
            let mut before = Before::Nothing;
            if chain.mark.is_some() {
                before = Before::Stored(stored);
                stored += 1;
            }
            let (mut step, mut begun) = (work.steps.len(), at);
            while at < chain.end {
                let mut end = at + 1;
                while by_peers && end < chain.end && is_tie(end) {
                    end += 1;
                }
                work.tied.push(is_tie(at));
                work.steps.push(Step {
                    leave: 0..0,
                    enter: at..end,
                });
                at = end;
                let marks_here = is_after && has_marks && at - begun >= APART;
                if at < chain.end && !marks_here {
                    continue;
                }
                if is_after && has_marks {
                    marks.push((work.segments.len(), at - 1));
                }
                work.segments.push(Segment {
                    before,
                    steps: step..work.steps.len(),
                });
                work.partitions.push(chain.partition);
                work.firsts.push(first);
                (step, begun, before) = (work.steps.len(), at, Before::Previous);
            }
        }
        work.distinct = self.calls.first_values(&work)?;
        Ok((work, marks))
    }

    /// What differs between before and after a batch: what goes before what comes.
    fn refresh(&mut self, changed: &[Changed], gone: &HashSet<Slot>) -> Result<Batch> {
        let (chains, slots) = self.chains(changed);
        #[cfg(test)]
        {
            self.computed = slots.len();
        }
        let rows = self.kept.rows.rows(&slots)?;
        let orders = self.kept.order.keys(&rows)?;
        let (work, marks) = self.work(&chains, &rows, &orders)?;
        let known = chains.iter().flatten().filter_map(|chain| chain.mark);
        let known: Vec<Slot> = known.collect();
        let states = self.marks.states(&known)?;
        let entering = chains.iter().flatten().flat_map(|c| c.from[1]..c.end);
        let entering = UInt32Array::from_iter_values(entering.map(|row| row as u32));
        let own: Vec<usize> = (0..self.width).collect();
        let entered = take_rows(&rows.project(&own)?, &entering)?;
        let (results, after) = self.calls.run(&work, &states)?;
        let numbers = rows.column(self.width).as_primitive::<Int64Type>();
        let place = |row: usize| (orders.get(row).into(), numbers.value(row));
        let from = changed.iter().map(|c| (c.partition, c.from.as_ref()));
        self.marks.renew(from, &work, &marks, &after, place)?;
        let mut columns = entered.columns().to_vec();
        columns.extend(results);
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|e| {
            Error::internal(format!("an OVER gave other columns than planned: {e}"))
        })?;
        let (mut old, mut new) = (Vec::new(), Vec::new());
        let (mut was, mut is) = (Vec::new(), Vec::new());
        for [before, after] in &chains {
            // Rows that stay are in the same order before and after.
            let mut left = before.changing().peekable();
            for (row, result) in after.changing() {
                while let Some((_, went)) = left.next_if(|(row, _)| gone.contains(&slots[*row])) {
                    old.push(went);
                    was.push(true);
                    is.push(false);
                }
                let stays = left.next_if(|(other, _)| slots[*other] == slots[row]);
                old.extend(stays.map(|(_, result)| result));
                was.push(stays.is_some());
                new.push(result);
                is.push(true);
            }
            for (_, went) in left {
                old.push(went);
                was.push(true);
                is.push(false);
            }
        }
        let shown = |results: Vec<u32>, there| -> Result<Shown> {
            let rows = take_rows(&rows, &UInt32Array::from(results))?;
            Ok(Shown { rows, there })
        };
        consolidated(difference(&shown(old, was)?, &shown(new, is)?, self.width)?)
    }

    fn give_up(&mut self, expired: Vec<Slot>) -> Result<()> {
        for partition in expired {
            self.marks.forget(partition)?;
            self.kept.forget(partition)?;
        }
        Ok(())
    }
}

impl Operator for UpdatingOver {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let (changed, gone) = self.apply(&batch)?;
        out.batch(self.refresh(&changed, &gone)?);
        let changed = changed.iter().map(|changed| changed.partition);
        self.kept.tidy(gone.into_iter(), changed)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            let expired = self.kept.partitions.on_watermark(time);
            self.give_up(expired)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.kept.partitions.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        let expired = self.kept.partitions.on_clock(now);
        self.give_up(expired)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.kept.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.kept.restore(&parts)
    }
}
