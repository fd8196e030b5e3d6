//! The partitions of an OVER in order of time: what each has accumulated, and the rows that frames and LAG still need.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema};
use flowline_udfs::{Before, Segment, Step};

use super::distinct::Distinct;
use super::over_frame::Calls;
use super::over_work::Work;
use crate::changelog::{Batch, take_rows};
use crate::error::Result;
use crate::graph::{AggregateInput, Frame, Over};
use crate::state::{Slot, StatePart, Table, TableSnapshot, Touched};
use crate::time::Millis;

/// The time of the last row of a partition, and number and time of a row. No column of a query can have such names.
const LAST: &str = "__last";
const NUMBER: &str = "__number";
const TIME: &str = "__time";

/// Partitions of rows that come in their order.
pub struct Partitions {
    over: Arc<Over>,
    calls: Calls,
    /// By partition `LAST`, and what calls have accumulated.
    table: Table,
    /// By partition and number the arguments of rows that are in a frame, or that a LAG looks at; `None` where there are no such.
    rows: Option<Table>,
    /// The rows of each partition, by its slot, in their order.
    kept: Vec<VecDeque<Slot>>,
    distinct: Vec<Distinct>,
    /// With a frame bounded by time: partitions by the time of their last row, to be freed when no frame reaches it.
    lasts: BTreeSet<(Millis, Slot)>,
}

/// What becomes of the rows of partitions while their results are computed.
#[derive(Default)]
struct Plan {
    work: Work,
    /// Rows of the table that are needed.
    old: Vec<Slot>,
    /// Where each row of the work comes from: 0 and its index among the old ones, or 1 and among those that come.
    places: Vec<(usize, usize)>,
    /// How many of the rows of each partition are not needed any more.
    gone: Vec<usize>,
    /// Of the rows that come, those to keep.
    keep: Vec<Keep>,
}

/// A row that is to be kept.
struct Keep {
    row: usize,
    /// The position of its partition.
    position: usize,
    number: i64,
    time: Millis,
}

impl Partitions {
    /// No rows yet; `input`: those that come.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or a function is not supported.
    pub fn new(over: &Arc<Over>, input: &Schema) -> Result<Self> {
        let calls = Calls::new(over, input)?;
        let keys = over
            .partition
            .iter()
            .map(|c| Arc::new(input.field(*c).clone()));
        let keys: Vec<FieldRef> = keys.collect();
        let spread: Vec<usize> = (0..keys.len()).collect();
        let number = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
        let mut fields = keys.clone();
        fields.push(number(LAST));
        fields.extend(calls.states().iter().cloned());
        let schema = Arc::new(Schema::new(fields));
        let rows = match calls.is_bounded() || calls.reach() > 0 {
            false => None,
            true => {
                let mut fields = keys.clone();
                fields.extend([number(NUMBER), number(TIME)]);
                fields.extend(calls.argument_schema().fields().iter().cloned());
                let key: Vec<usize> = (0..=keys.len()).collect();
                let schema = Arc::new(Schema::new(fields));
                Some(Table::new("rows", schema, &key, &spread, None)?)
            }
        };
        let comes = match calls.is_bounded() {
            true => AggregateInput::Changes,
            false => AggregateInput::Rows,
        };
        let distinct = calls.distinct().iter().enumerate().map(|(d, shared)| {
            let input = (calls.argument_schema().as_ref(), comes);
            let shared = shared.clone();
            Distinct::new(&format!("distinct{d}"), shared, &keys, &spread, input)
        });
        Ok(Self {
            distinct: distinct.collect::<Result<_>>()?,
            table: Table::new("partitions", schema, &spread, &spread, over.ttl)?,
            calls,
            rows,
            kept: Vec::new(),
            lasts: BTreeSet::new(),
            over: Arc::clone(over),
        })
    }

    fn width(&self) -> usize {
        self.over.partition.len()
    }

    /// The results of rows that are next in their partitions, a column a call. `times`: theirs; `has_ties`: rows of the same time
    /// are equal in order.
    ///
    /// # Errors
    /// Where a function fails on a row.
    pub fn results(
        &mut self,
        rows: &RecordBatch,
        times: &[Millis],
        has_ties: bool,
    ) -> Result<Vec<ArrayRef>> {
        let keys = self.over.partition.iter();
        let keys: Vec<ArrayRef> = keys.map(|c| Arc::clone(rows.column(*c))).collect();
        let touched = self.table.keys_of(&keys, rows.num_rows())?;
        let touched = self.table.write_all(&touched)?;
        self.kept.resize_with(self.table.slots(), VecDeque::new);
        // Partition by partition.
        let (order, starts) = touched.by_slot();
        let sorted = match &order {
            Some(order) => take_rows(rows, order)?,
            None => rows.clone(),
        };
        let time = |at: usize| match &order {
            Some(order) => times[order.value(at) as usize],
            None => times[at],
        };
        let mut plan = Plan::default();
        for position in 0..touched.slots.len() {
            let new = starts[position]..starts[position + 1];
            self.plan(&mut plan, &touched, position, new.clone(), &time, has_ties);
            self.at(touched.slots[position], time(new.end - 1))?;
        }
        let mut work = std::mem::take(&mut plan.work);
        work.arguments = self.arguments(&plan, self.calls.evaluate(&sorted)?)?;
        work.distinct = self.distinct_values(&work, &touched)?;
        let first = self.width() + 1;
        let states = (first..first + self.calls.states().len())
            .map(|c| self.table.values(c, &touched.slots[..touched.known]));
        let states: Vec<ArrayRef> = states.collect::<Result<_>>()?;
        let (results, after) = self.calls.run(&work, &states)?;
        for (column, state) in (first..).zip(&after) {
            self.table.set(column, &touched.slots, state)?;
        }
        self.store(&plan, &work, &touched)?;
        let Some(order) = order else {
            return Ok(results);
        };
        let mut back = vec![0; order.len()];
        for (at, row) in (0u32..).zip(order.values()) {
            back[*row as usize] = at;
        }
        let back = UInt32Array::from(back);
        results.iter().map(|r| Ok(take(r, &back, None)?)).collect()
    }

    /// Plans the steps of one partition, whose rows are at `new`.
    fn plan(
        &self,
        plan: &mut Plan,
        touched: &Touched,
        position: usize,
        new: Range<usize>,
        time: &impl Fn(usize) -> Millis,
        has_ties: bool,
    ) {
        let (slot, number_column, time_column) =
            (touched.slots[position], self.width() + 1, self.width() + 1);
        let kept = &self.kept[slot as usize];
        let (old, base) = (kept.len(), plan.places.len());
        let time_of = |at: usize| match (kept.get(at), &self.rows) {
            (Some(slot), Some(rows)) => rows.int(time_column, *slot),
            _ => time(new.start + at - old),
        };
        // Which of the rows, the kept ones and then those that come, is the first in the frame.
        let mut front = 0;
        let first_step = plan.work.steps.len();
        let by_peers = self.calls.by_peers();
        let mut at = new.start;
        while at < new.end {
            let is_tie = |other: usize| has_ties && time(other) == time(at);
            let end = match by_peers {
                true => (at + 1..new.end)
                    .find(|other| !is_tie(*other))
                    .unwrap_or(new.end),
                false => at + 1,
            };
            let before = old + at - new.start;
            let leaving = match self.over.frame {
                Frame::Rows(n) => {
                    let size = usize::try_from(n).unwrap_or(usize::MAX).saturating_add(1);
                    (before - front + 1)
                        .saturating_sub(size)
                        .min(before - front)
                }
                Frame::Range(millis) => {
                    let first = time(at).saturating_sub(millis);
                    (front..before)
                        .take_while(|row| time_of(*row) < first)
                        .count()
                }
                Frame::RowsUnbounded | Frame::RangeUnbounded => 0,
            };
            plan.work.tied.push(at > new.start && is_tie(at - 1));
            plan.work.steps.push(Step {
                leave: front..front + leaving,
                enter: at - new.start..end - new.start,
            });
            front += leaving;
            at = end;
        }
        if !self.calls.is_bounded() {
            front = (old + new.len()).saturating_sub(self.calls.reach());
        }
        let left = front.min(old);
        let loaded = if self.calls.needs_all() { old } else { left };
        for step in &mut plan.work.steps[first_step..] {
            step.leave = base + step.leave.start..base + step.leave.end;
            step.enter = base + loaded + step.enter.start..base + loaded + step.enter.end;
        }
        let rows = self.table.int(number_column, slot);
        let number = |at: usize| rows + at as i64 - old as i64;
        let places = (0..loaded).map(|at| (0, plan.old.len() + at));
        plan.places
            .extend(places.chain(new.clone().map(|at| (1, at))));
        plan.old.extend(kept.range(..loaded));
        plan.gone.push(left);
        if self.rows.is_some() {
            let numbers = (0..loaded).chain(old..old + new.len()).map(number);
            plan.work.numbers.extend(numbers);
            let keep = (new.start + front.saturating_sub(old)..new.end).map(|at| Keep {
                row: at,
                position,
                number: number(old + at - new.start),
                time: time(at),
            });
            plan.keep.extend(keep);
        }
        plan.work.segments.push(Segment {
            before: match position < touched.known {
                true => Before::Stored(position),
                false => Before::Nothing,
            },
            steps: first_step..plan.work.steps.len(),
        });
        plan.work.partitions.push(slot);
        plan.work.firsts.push(base);
    }

    /// The last row of a partition is at this time.
    fn at(&mut self, slot: Slot, time: Millis) -> Result<()> {
        let last = self.table.int(self.width(), slot);
        self.table.set_int(self.width(), slot, time)?;
        if matches!(self.over.frame, Frame::Range(_)) {
            self.lasts.remove(&(last, slot));
            self.lasts.insert((time, slot));
        }
        Ok(())
    }

    /// The arguments of old rows, and of those that come.
    fn arguments(&self, plan: &Plan, new: Vec<ArrayRef>) -> Result<Vec<ArrayRef>> {
        let Some(rows) = self.rows.as_ref().filter(|_| !plan.old.is_empty()) else {
            return Ok(new);
        };
        let columns = (self.width() + 2..).zip(new).map(|(column, new)| {
            let old = rows.values(column, &plan.old)?;
            Ok(interleave(&[old.as_ref(), new.as_ref()], &plan.places)?)
        });
        columns.collect()
    }

    /// Of DISTINCT calls the rows with which values go, and come.
    fn distinct_values(
        &mut self,
        work: &Work,
        touched: &Touched,
    ) -> Result<Vec<Vec<[BooleanArray; 2]>>> {
        if self.distinct.is_empty() {
            return Ok(Vec::new());
        }
        let (mut rows, mut weights, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        for (position, segment) in work.segments.iter().enumerate() {
            for step in &work.steps[segment.steps.clone()] {
                for (moved, weight) in [(&step.leave, -1), (&step.enter, 1)] {
                    rows.extend(moved.clone().map(|row| row as u32));
                    weights.resize(rows.len(), weight);
                    positions.resize(rows.len(), position);
                }
            }
        }
        let indices = UInt32Array::from(rows);
        let of = UInt32Array::from_iter_values(positions.iter().map(|p| *p as u32));
        let keys = self.table.keys(&touched.slots)?;
        let keys = keys.iter().map(|k| Ok(take(k, &of, None)?));
        let keys: Vec<ArrayRef> = keys.collect::<Result<_>>()?;
        let arguments = Arc::clone(self.calls.argument_schema());
        let arguments = RecordBatch::try_new(arguments, work.arguments.clone())?;
        let moved = Batch::changes(take_rows(&arguments, &indices)?, weights);
        let touched = Touched {
            slots: touched.slots.clone(),
            known: touched.known,
            rows: positions,
        };
        let mut all = Vec::with_capacity(self.distinct.len());
        for distinct in &mut self.distinct {
            let crossed = distinct.apply(&moved, &keys, &touched)?;
            let marked = crossed.changes().iter().map(|(rows, weights)| {
                [-1, 1].map(|which| {
                    let mut marks = vec![false; arguments.num_rows()];
                    for (row, _) in rows.iter().zip(weights).filter(|(_, w)| **w == which) {
                        marks[indices.value(*row as usize) as usize] = true;
                    }
                    BooleanArray::from(marks)
                })
            });
            all.push(marked.collect());
        }
        Ok(all)
    }

    /// Keeps the rows that later frames need, and no others.
    fn store(&mut self, plan: &Plan, work: &Work, touched: &Touched) -> Result<()> {
        let Some(rows) = &mut self.rows else {
            return Ok(());
        };
        for (slot, gone) in touched.slots.iter().zip(&plan.gone) {
            for row in self.kept[*slot as usize].drain(..*gone) {
                rows.remove(row)?;
            }
        }
        let width = self.over.partition.len();
        let keep = &plan.keep;
        let of = UInt32Array::from_iter_values(keep.iter().map(|k| k.position as u32));
        let keys = self.table.keys(&touched.slots)?;
        let keys = keys.iter().map(|k| Ok(take(k, &of, None)?));
        let mut columns: Vec<ArrayRef> = keys.collect::<Result<_>>()?;
        let numbers = keep.iter().map(|k| k.number);
        columns.push(Arc::new(Int64Array::from_iter_values(numbers)));
        let encoded = rows.keys_of(&columns, keep.len())?;
        let mut slots = Vec::with_capacity(keep.len());
        for (i, one) in keep.iter().enumerate() {
            let (slot, _) = rows.write(&encoded, i)?;
            self.kept[touched.slots[one.position] as usize].push_back(slot);
            slots.push(slot);
        }
        let times = keep.iter().map(|k| k.time);
        let times: ArrayRef = Arc::new(Int64Array::from_iter_values(times));
        rows.set(width + 1, &slots, &times)?;
        // Where the rows that come are among those of the work.
        let mut places = vec![0; plan.places.len() - plan.old.len()];
        for (place, (side, at)) in (0u32..).zip(&plan.places) {
            if *side == 1 {
                places[*at] = place;
            }
        }
        let places = UInt32Array::from_iter_values(keep.iter().map(|k| places[k.row]));
        for (column, argument) in (width + 2..).zip(&work.arguments) {
            rows.set(column, &slots, &take(argument, &places, None)?)?;
        }
        Ok(())
    }

    /// Forgets a partition.
    fn forget(&mut self, slot: Slot) -> Result<()> {
        self.calls.forget(slot);
        for distinct in &mut self.distinct {
            distinct.remove(slot)?;
        }
        if let Some(rows) = &mut self.rows {
            for row in self.kept[slot as usize].drain(..) {
                rows.remove(row)?;
            }
        }
        self.lasts
            .remove(&(self.table.int(self.width(), slot), slot));
        self.table.remove(slot)
    }

    /// The watermark moved to `time`: gives up partitions whose rows no frame reaches any more, and those that expire by it.
    ///
    /// # Errors
    /// Where their keys cannot be remembered.
    pub fn on_watermark(&mut self, time: Millis) -> Result<()> {
        if let Frame::Range(millis) = self.over.frame {
            while let Some((last, slot)) = self.lasts.first().copied()
                && last.saturating_add(millis) < time
            {
                self.forget(slot)?;
            }
        }
        let mut expired = self.table.on_watermark(time).into_iter();
        expired.try_for_each(|slot| self.forget(slot))
    }

    /// The clock is at `time`: gives up partitions by it.
    ///
    /// # Errors
    /// As [`Partitions::on_watermark`].
    pub fn on_clock(&mut self, time: i64) -> Result<()> {
        let mut expired = self.table.on_clock(time).into_iter();
        expired.try_for_each(|slot| self.forget(slot))
    }

    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(&self) -> Option<u64> {
        self.table.clock_period()
    }

    fn tables(&mut self) -> impl Iterator<Item = &mut Table> {
        let distinct = self.distinct.iter_mut().map(Distinct::table);
        std::iter::once(&mut self.table)
            .chain(&mut self.rows)
            .chain(distinct)
    }

    /// The state: "partitions"; "rows", where frames or LAG need some again; and "distinct" values.
    ///
    /// # Errors
    /// Where rows cannot be given as columns (a bug).
    pub fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut parts = Vec::new();
        for table in self.tables() {
            parts.extend(table.snapshot()?);
        }
        Ok(parts)
    }

    /// Takes state of [`Partitions::snapshot`].
    ///
    /// # Errors
    /// Where the state is of another OVER.
    pub fn restore(&mut self, parts: &[StatePart]) -> Result<()> {
        for table in self.tables() {
            table.restore_all(parts)?;
        }
        let width = self.width();
        for distinct in &mut self.distinct {
            distinct.restored(&self.table, width)?;
        }
        self.kept.resize_with(self.table.slots(), VecDeque::new);
        if matches!(self.over.frame, Frame::Range(_)) {
            let slots = self.table.all().into_iter();
            let lasts = slots.map(|slot| (self.table.int(width, slot), slot));
            self.lasts.extend(lasts.collect::<Vec<_>>());
        }
        let Some(rows) = &self.rows else {
            return Ok(());
        };
        let mut all = Vec::new();
        for slots in rows.pieces() {
            let mut keys = rows.keys(&slots)?;
            let numbers = keys.split_off(width).remove(0);
            let numbers = numbers.as_primitive::<Int64Type>().values();
            let owners = self.table.find_all(&keys, slots.len())?;
            let each = owners.into_iter().zip(numbers).zip(slots);
            all.extend(each.map(|((owner, number), slot)| (owner, *number, slot)));
        }
        all.sort_unstable();
        for (owner, _, slot) in &all {
            self.kept[*owner as usize].push_back(*slot);
        }
        let arguments = self.calls.argument_schema().fields().len();
        let mut all = all.as_slice();
        for slots in rows.pieces_of(all.iter().map(|(_, _, slot)| *slot)) {
            let (piece, rest) = all.split_at(slots.len());
            all = rest;
            let columns = (width + 2..width + 2 + arguments).map(|c| rows.values(c, &slots));
            let mut work = Work {
                arguments: columns.collect::<Result<_>>()?,
                numbers: piece.iter().map(|(_, number, _)| *number).collect(),
                ..Work::default()
            };
            let mut first = 0;
            for rows in piece.chunk_by(|(a, ..), (b, ..)| a == b) {
                let step = work.steps.len();
                work.steps.push(Step {
                    leave: 0..0,
                    enter: first..first + rows.len(),
                });
                work.segments.push(Segment {
                    before: Before::Nothing,
                    steps: step..step + 1,
                });
                work.partitions.push(rows[0].0);
                first += rows.len();
            }
            self.calls.restored(&work)?;
        }
        Ok(())
    }
}
