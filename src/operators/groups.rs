//! The groups of an aggregation: what each has accumulated, in columns of a table. For windows and for ever, over partial results,
//! rows, and rows that come and go.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::logical_expr::EmitTo;

use super::aggregator::accumulator;
use super::call_rows::CallRows;
use super::changed::Shown;
use super::distinct::{Distinct, Shared};
use super::values::{Keeping, Values};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::{Aggregate, AggregateCall, AggregateInput};
use crate::state::{Slot, StatePart, Table, TableSnapshot, Touched};

/// The columns of how many rows a group has, and of what a call has accumulated. No column of a query can have such names.
const ROWS: &str = "__rows";
const CALL: &str = "__call";

/// The groups of one aggregate.
pub struct Groups {
    aggregate: Arc<Aggregate>,
    table: Table,
    /// The column of how many rows a group has.
    rows: usize,
    calls: Vec<Call>,
    distinct: Vec<Distinct>,
}

/// One call of the aggregate, prepared.
struct Call {
    plan: AggregateCall,
    kept: Kept,
    /// Of a DISTINCT call: the table of distinct values, and which of its filters.
    distinct: Option<(usize, usize)>,
}

/// What is kept for a call.
enum Kept {
    /// What the function accumulates: so many columns of the groups' table, from this one on.
    Accumulated(usize, usize),
    /// The values: the function cannot take one back.
    Values(Box<Values>),
}

/// What some groups have accumulated: the columns of each call, none where its values are kept.
pub type States = Vec<Vec<ArrayRef>>;

impl Groups {
    /// No groups yet; `input`: the rows that come.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or a function is not supported.
    pub fn new(aggregate: Arc<Aggregate>, input: &Schema) -> Result<Self> {
        let width = aggregate.group.len();
        let keys = aggregate.result_schema.fields().iter().take(width);
        let keys: Vec<FieldRef> = keys.cloned().collect();
        let mut fields = keys.clone();
        fields.push(Arc::new(Field::new(ROWS, DataType::Int64, false)));
        let mut shared = Vec::new();
        let mut calls = Vec::new();
        for (c, plan) in aggregate.calls.iter().enumerate() {
            let kept = match Keeping::of(plan, aggregate.input)? {
                Keeping::Accumulated => {
                    let states = plan.function.state_fields()?;
                    let kept = Kept::Accumulated(fields.len(), states.len());
                    for (i, field) in states.iter().enumerate() {
                        let name = format!("{CALL}{c}_{i}");
                        fields.push(Arc::new(Field::new(name, field.data_type().clone(), true)));
                    }
                    kept
                }
                Keeping::Values(needs) => {
                    let name = format!("values{c}");
                    let values = Values::new(&name, &keys, &aggregate.key, plan, needs, input)?;
                    Kept::Values(Box::new(values))
                }
            };
            calls.push(Call {
                plan: plan.clone(),
                kept,
                distinct: plan.distinct.then(|| {
                    let arguments = plan.function.expressions();
                    Shared::of(&mut shared, arguments, plan.filter.clone())
                }),
            });
        }
        let distinct = shared.into_iter().enumerate().map(|(d, shared)| {
            let name = format!("distinct{d}");
            let input = (input, aggregate.input);
            Distinct::new(&name, shared, &keys, &aggregate.key, input)
        });
        let distinct = distinct.collect::<Result<_>>()?;
        let schema = Arc::new(Schema::new(fields));
        let key: Vec<usize> = (0..width).collect();
        Ok(Self {
            table: Table::new("groups", schema, &key, &aggregate.key, aggregate.ttl)?,
            rows: width,
            aggregate,
            calls,
            distinct,
        })
    }

    /// The grouping columns of rows that come.
    ///
    /// # Errors
    /// Where a grouping expression fails on a row.
    pub fn keys_of(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        match self.aggregate.input {
            AggregateInput::Partials => Ok(rows.columns()[..self.aggregate.group.len()].to_vec()),
            AggregateInput::Rows | AggregateInput::Changes => self.aggregate.keys(rows),
        }
    }

    /// The grouping columns of groups.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn keys(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        self.table.keys(slots)
    }

    /// Adds and takes away rows, or adds partial results; `keys` are their grouping columns. Returns the groups that are new.
    ///
    /// # Errors
    /// Where an expression or accumulator fails on a row.
    pub fn apply(&mut self, batch: &Batch, keys: &[ArrayRef]) -> Result<Vec<Slot>> {
        let encoded = self.table.keys_of(keys, batch.num_rows())?;
        let touched = self.table.write_all(&encoded)?;
        let before = self.states(&touched.slots[..touched.known])?;
        self.add(batch, keys, &touched, &before)?;
        Ok(touched.new_slots().to_vec())
    }

    /// As [`Groups::apply`]; returns the results before and after. Groups without rows are gone then.
    ///
    /// # Errors
    /// As there; or a result cannot be had, such as a sum out of range.
    pub fn apply_for_results(
        &mut self,
        batch: &Batch,
        keys: &[ArrayRef],
    ) -> Result<(Shown, Shown)> {
        let encoded = self.table.keys_of(keys, batch.num_rows())?;
        let touched = self.table.write_all(&encoded)?;
        let states = self.states(&touched.slots[..touched.known])?;
        let before = self.results_with(&touched.slots[..touched.known], &states)?;
        let states = self.add(batch, keys, &touched, &states)?;
        let after = self.results_with(&touched.slots, &states)?;
        for slot in touched.slots {
            if self.rows(slot) == 0 {
                self.remove(slot)?;
            }
        }
        Ok((before, after))
    }

    /// The result rows of groups.
    ///
    /// # Errors
    /// Where a result cannot be had, such as a sum out of range.
    pub fn results(&self, slots: &[Slot]) -> Result<Shown> {
        let there: Vec<bool> = slots.iter().map(|s| self.rows(*s) > 0).collect();
        let slots = slots.iter().zip(&there).filter(|(_, there)| **there);
        let slots: Vec<Slot> = slots.map(|(slot, _)| *slot).collect();
        let rows = self.rows_of(&slots, &self.states(&slots)?)?;
        Ok(Shown { rows, there })
    }

    /// The result rows of groups that have accumulated this.
    fn results_with(&self, slots: &[Slot], states: &States) -> Result<Shown> {
        if slots.iter().any(|slot| self.rows(*slot) <= 0) {
            return self.results(slots);
        }
        Ok(Shown::all(self.rows_of(slots, states)?))
    }

    /// The number of rows of a group.
    fn rows(&self, slot: Slot) -> i64 {
        self.table.int(self.rows, slot)
    }

    /// What groups have accumulated.
    ///
    /// # Errors
    /// Where Arrow refuses it (a bug).
    pub fn states(&self, slots: &[Slot]) -> Result<States> {
        let states = self.calls.iter().map(|call| match call.kept {
            Kept::Values(_) => Ok(Vec::new()),
            Kept::Accumulated(from, n) => {
                let columns = (from..from + n).map(|c| self.table.values(c, slots));
                columns.collect()
            }
        });
        states.collect()
    }

    /// Adds and takes away rows; returns what the groups have accumulated now. `before`: what those that were there had.
    fn add(
        &mut self,
        batch: &Batch,
        keys: &[ArrayRef],
        touched: &Touched,
        before: &States,
    ) -> Result<States> {
        for (row, position) in touched.rows.iter().enumerate() {
            let slot = touched.slots[*position];
            let rows = self.table.int(self.rows, slot) + batch.weight(row);
            self.table.set_int(self.rows, slot, rows)?;
        }
        let crossed = self.distinct.iter_mut();
        let crossed = crossed.map(|distinct| distinct.apply(batch, keys, touched));
        let crossed = crossed.collect::<Result<Vec<_>>>()?;
        let mut from = self.aggregate.group.len();
        let mut all = Vec::with_capacity(self.calls.len());
        for (call, stored) in self.calls.iter_mut().zip(before) {
            let rows = || match call.distinct {
                Some((table, filter)) => crossed[table].rows(filter, touched),
                None => CallRows::of(&call.plan, batch, touched),
            };
            let (first, states) = match &mut call.kept {
                Kept::Values(values) => {
                    values.apply(&self.table.keys(&touched.slots)?, &touched.slots, &rows()?)?;
                    (0, Vec::new())
                }
                Kept::Accumulated(first, n) if self.aggregate.input == AggregateInput::Partials => {
                    let partials = &batch.rows.columns()[from..from + *n];
                    from += *n;
                    let known: Vec<usize> = (0..touched.known).collect();
                    let mut merged = accumulator(&call.plan)?;
                    merged.merge_batch(stored, &known, touched.known)?;
                    merged.merge_batch(partials, &touched.rows, touched.slots.len())?;
                    (*first, merged.state(EmitTo::All)?)
                }
                Kept::Accumulated(first, _) => {
                    (*first, rows()?.accumulate(&call.plan, stored, touched)?)
                }
            };
            for (i, state) in states.iter().enumerate() {
                self.table.set(first + i, &touched.slots, state)?;
            }
            all.push(states);
        }
        Ok(all)
    }

    fn rows_of(&self, slots: &[Slot], states: &States) -> Result<RecordBatch> {
        let n = slots.len();
        let schema = Arc::clone(&self.aggregate.result_schema);
        if n == 0 {
            return Ok(RecordBatch::new_empty(schema));
        }
        let mut columns = self.table.keys(slots)?;
        let positions: Vec<usize> = (0..n).collect();
        for (call, states) in self.calls.iter().zip(states) {
            columns.push(match &call.kept {
                Kept::Values(values) => values.results(slots)?,
                Kept::Accumulated(..) => {
                    let mut merged = accumulator(&call.plan)?;
                    merged.merge_batch(states, &positions, n)?;
                    merged.evaluate(EmitTo::All)?
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(n));
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }

    /// Forgets a group.
    ///
    /// # Errors
    /// Where its keys cannot be remembered.
    pub fn remove(&mut self, slot: Slot) -> Result<()> {
        for distinct in &mut self.distinct {
            distinct.remove(slot)?;
        }
        for call in &mut self.calls {
            if let Kept::Values(values) = &mut call.kept {
                values.remove(slot)?;
            }
        }
        self.table.remove(slot)
    }

    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(&self) -> Option<u64> {
        self.table.clock_period()
    }

    /// The watermark moved to `time`: gives up groups by it.
    ///
    /// # Errors
    /// As [`Groups::remove`].
    pub fn on_watermark(&mut self, time: i64) -> Result<()> {
        let mut expired = self.table.on_watermark(time).into_iter();
        expired.try_for_each(|slot| self.remove(slot))
    }

    /// The clock is at `time`: gives up groups by it.
    ///
    /// # Errors
    /// As [`Groups::remove`].
    pub fn on_clock(&mut self, time: i64) -> Result<()> {
        let mut expired = self.table.on_clock(time).into_iter();
        expired.try_for_each(|slot| self.remove(slot))
    }

    /// The state: "groups"; for each list of DISTINCT arguments "distinct" with the values, and for each call that keeps values
    /// "values".
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

    fn tables(&mut self) -> impl Iterator<Item = &mut Table> {
        let values = self
            .calls
            .iter_mut()
            .filter_map(|call| match &mut call.kept {
                Kept::Values(values) => Some(values.table()),
                Kept::Accumulated(..) => None,
            });
        let distinct = self.distinct.iter_mut().map(Distinct::table);
        std::iter::once(&mut self.table)
            .chain(distinct)
            .chain(values)
    }

    /// Takes state of [`Groups::snapshot`]; returns the groups.
    ///
    /// # Errors
    /// Where the state is of another aggregate.
    pub fn restore(&mut self, parts: &[StatePart]) -> Result<Vec<Slot>> {
        for table in self.tables() {
            table.restore_all(parts)?;
        }
        let width = self.aggregate.group.len();
        for distinct in &mut self.distinct {
            distinct.restored(&self.table, width)?;
        }
        for call in &mut self.calls {
            if let Kept::Values(values) = &mut call.kept {
                values.restored(&self.table)?;
            }
        }
        Ok(self.table.all())
    }
}
