//! OVER (... ORDER BY any columns), over any input: what a batch changes is computed anew from the first row on that it changes.

use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use flowline_udfs::{Before, Segment, Step};
use hashbrown::{HashMap, HashSet};

use super::changed::{Shown, consolidated, difference};
use super::over_frame::{Calls, Work};
use super::over_list::{Changed, List};
use super::over_marks::{APART, Marks};
use super::sort_order::sorter;
use super::{Operator, Output};
use crate::changelog::{Batch, take_rows};
use crate::error::{Error, Result};
use crate::graph::{Over, OverTime, SortColumn};
use crate::state::{Slot, StatePart, Table, TableSnapshot};
use crate::time::Watermark;

/// When a row arrived. No column of a query can have such a name.
const NUMBER: &str = "__number";

/// Keeps all rows of every partition.
pub struct UpdatingOver {
    // Properties.
    partition: Vec<usize>,
    order: Vec<SortColumn>,
    /// `None`: all rows are equal in order.
    sorter: Option<RowConverter>,
    /// `None`: all rows are equal.
    values: Option<RowConverter>,
    calls: Calls,
    schema: SchemaRef,
    /// Number of columns of the input.
    width: usize,
    // State.
    partitions: Table,
    /// By partition and number of arrival; with arguments that would have other values the next time.
    rows: Table,
    /// By slot of the partition.
    lists: Vec<List>,
    marks: Marks,
    /// The number of the next row.
    next: i64,
    /// How many rows the last batch made compute.
    #[cfg(test)]
    computed: usize,
}

/// Rows of a batch as bytes.
struct Entries {
    orders: Option<Rows>,
    values: Option<Rows>,
}

fn bytes(rows: &Option<Rows>, row: usize) -> &[u8] {
    rows.as_ref().map_or(&[], |rows| rows.row(row).data())
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
        let number = Arc::new(Field::new(NUMBER, DataType::Int64, false));
        let mut fields = input.fields().to_vec();
        let width = fields.len();
        fields.push(number);
        if calls.are_volatile() {
            fields.extend(calls.argument_schema().fields().iter().cloned());
        }
        let mut key = over.partition.clone();
        key.push(width);
        let rows = Arc::new(Schema::new(fields));
        let partitions = Arc::new(input.project(&over.partition)?);
        let all: Vec<usize> = (0..over.partition.len()).collect();
        let values = input.fields().iter();
        let values = values.map(|f| SortField::new(f.data_type().clone()));
        Ok(Self {
            sorter: match order.is_empty() {
                true => None,
                false => Some(sorter(order, input)?),
            },
            order: order.clone(),
            values: match width {
                0 => None,
                _ => Some(RowConverter::new(values.collect())?),
            },
            marks: Marks::new(calls.states())?,
            calls,
            schema: Arc::clone(schema),
            width,
            partitions: Table::new("partitions", partitions, &all, &all, over.ttl)?,
            rows: Table::new("rows", rows, &key, &over.partition, None)?,
            lists: Vec::new(),
            next: 0,
            partition: over.partition.clone(),
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

    fn partition_columns(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        let columns = self.partition.iter();
        columns.map(|c| Arc::clone(rows.column(*c))).collect()
    }

    fn entries(&self, rows: &RecordBatch) -> Result<Entries> {
        let values = self.values.as_ref();
        let values = values.map(|v| v.convert_columns(&rows.columns()[..self.width]));
        Ok(Entries {
            orders: self.orders(rows)?,
            values: values.transpose()?,
        })
    }

    fn orders(&self, rows: &RecordBatch) -> Result<Option<Rows>> {
        let columns = self.order.iter().map(|c| Arc::clone(rows.column(c.column)));
        let columns: Vec<ArrayRef> = columns.collect();
        let sorter = self.sorter.as_ref();
        Ok(sorter.map(|s| s.convert_columns(&columns)).transpose()?)
    }

    /// Puts rows in and takes them out; returns the partitions in order of first mention, and the rows that went, which are still
    /// in the table.
    fn apply(&mut self, batch: &Batch) -> Result<(Vec<Changed>, HashSet<Slot>)> {
        let keys = self.partition_columns(&batch.rows);
        let keys = self.partitions.keys_of(&keys, batch.num_rows())?;
        let entries = self.entries(&batch.rows)?;
        // Each row as often as it comes.
        let mut coming = Vec::with_capacity(keys.count());
        for row in 0..keys.count() {
            let times = batch.weight(row).max(0) as usize;
            coming.extend(std::iter::repeat_n(row as u32, times));
        }
        let coming = take_rows(&batch.rows, &UInt32Array::from(coming))?;
        let mut places = self.partition_columns(&coming);
        let numbers = (self.next..).take(coming.num_rows());
        places.push(Arc::new(Int64Array::from_iter_values(numbers)));
        let numbers = places.last().cloned();
        let places = self.rows.keys_of(&places, coming.num_rows())?;
        let by_peers = self.calls.by_peers();
        let mut changed: Vec<Changed> = Vec::new();
        let mut positions: HashMap<Slot, usize> = HashMap::new();
        let (mut slots, mut gone) = (Vec::with_capacity(places.count()), HashSet::new());
        for row in 0..keys.count() {
            let weight = batch.weight(row);
            let partition = match self.partitions.find(&keys, row) {
                Some(partition) => partition,
                None if weight <= 0 => continue,
                None => self.partitions.write(&keys, row)?.0,
            };
            self.partitions.touch(partition);
            self.lists
                .resize_with(self.partitions.slots(), List::default);
            let list = &mut self.lists[partition as usize];
            let position = *positions.entry(partition).or_insert_with(|| {
                changed.push(Changed {
                    partition,
                    from: None,
                    before: Vec::new(),
                });
                changed.len() - 1
            });
            let change = &mut changed[position];
            let (order, value) = (bytes(&entries.orders, row), bytes(&entries.values, row));
            for _ in 0..weight {
                let place = (order.into(), self.next);
                change.begin(list, &place, by_peers);
                let (slot, _) = self.rows.write(&places, slots.len())?;
                slots.push(slot);
                list.insert(place, value, slot);
                self.next += 1;
            }
            for _ in weight..0 {
                let Some(place) = list.earliest(order, value) else {
                    break;
                };
                change.begin(list, &place, by_peers);
                gone.extend(list.remove(&place, value));
            }
        }
        let mut columns = coming.columns().to_vec();
        if self.calls.are_volatile() {
            columns.extend(numbers);
            columns.extend(self.calls.evaluate(&coming)?);
        }
        self.rows.set_rows(&slots, &columns)?;
        Ok((changed, gone))
    }

    /// The rows that are to be computed of each partition, as they were before the batch and as they are after it; and their slots.
    fn chains(&self, changed: &[Changed]) -> (Vec<[Chain; 2]>, Vec<Slot>) {
        let (mut chains, mut slots) = (Vec::new(), Vec::new());
        let mut results = 0;
        for change in changed {
            let Some(from) = &change.from else { continue };
            let list = &self.lists[change.partition as usize];
            let mark = list.marks.range(..from).next_back();
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
                    mark: mark
                        .map(|(_, (_, slot))| *slot)
                        .filter(|_| slots.len() > start),
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
        orders: &Option<Rows>,
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
            let is_tie = |row: usize| row > first && bytes(orders, row) == bytes(orders, row - 1);
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
        let rows = self.rows.rows(&slots)?;
        let orders = self.orders(&rows)?;
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
        let place = |row: usize| (bytes(&orders, row).into(), numbers.value(row));
        self.marks
            .renew(&mut self.lists, changed, &work, &marks, &after, place)?;
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

    /// Removes what has gone with a batch.
    fn tidy(&mut self, changed: &[Changed], gone: HashSet<Slot>) -> Result<()> {
        for slot in gone {
            self.rows.remove(slot)?;
        }
        for Changed { partition, .. } in changed {
            if self.lists[*partition as usize].rows.is_empty() {
                self.partitions.remove(*partition)?;
            }
        }
        Ok(())
    }

    fn give_up(&mut self, expired: Vec<Slot>) -> Result<()> {
        for partition in expired {
            let list = std::mem::take(&mut self.lists[partition as usize]);
            for slot in list.rows.into_values() {
                self.rows.remove(slot)?;
            }
            for (_, slot) in list.marks.into_values() {
                self.marks.remove(slot)?;
            }
            self.partitions.remove(partition)?;
        }
        Ok(())
    }
}

impl Operator for UpdatingOver {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let (changed, gone) = self.apply(&batch)?;
        out.batch(self.refresh(&changed, &gone)?);
        self.tidy(&changed, gone)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            let expired = self.partitions.on_watermark(time);
            self.give_up(expired)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.partitions.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        let expired = self.partitions.on_clock(now);
        self.give_up(expired)
    }

    /// Parts "rows", with `__number`, the order of their arrival, and "partitions".
    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut parts = self.rows.snapshot()?;
        parts.extend(self.partitions.snapshot()?);
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.partitions.restore_all(&parts)?;
        self.rows.restore_all(&parts)?;
        self.lists
            .resize_with(self.partitions.slots(), List::default);
        let slots = self.rows.all();
        let rows = self.rows.rows(&slots)?;
        let owners = self.partition_columns(&rows);
        let owners = self.partitions.find_all(&owners, slots.len())?;
        let entries = self.entries(&rows)?;
        let numbers = rows.column(self.width).as_primitive::<Int64Type>();
        for (i, (slot, partition)) in slots.into_iter().zip(owners).enumerate() {
            let place = (bytes(&entries.orders, i).into(), numbers.value(i));
            self.next = self.next.max(place.1 + 1);
            let list = &mut self.lists[partition as usize];
            list.insert(place, bytes(&entries.values, i), slot);
        }
        Ok(())
    }
}
