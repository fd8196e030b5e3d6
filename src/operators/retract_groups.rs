//! Groups over rows that come and go: what each has accumulated, such that a row can be taken out again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array, new_empty_array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};
use arrow::row::OwnedRow;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Accumulator;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::evaluate;
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Aggregate, AggregateCall};
use crate::state::{ChangedKeys, Detail, KeyedState, RowCodec, StatePart, with_numbers};

/// How the argument values of a call are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    /// Not at all: the accumulator can take values back.
    Accumulated,
    /// With their number, in order of value; the result needs the first (last) only, or all of them.
    Counted(Needs),
    /// In the order in which they came.
    Listed,
}

/// Which of the counted values a result needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    First,
    Last,
    All,
}

/// One call of the aggregate, prepared.
struct Call {
    plan: AggregateCall,
    keeping: Keeping,
    /// The arguments, as state.
    codec: RowCodec,
}

/// What a group keeps for one call.
struct Kept {
    /// Of a DISTINCT call: how often each value is there; the rest sees it once.
    distinct: HashMap<OwnedRow, i64>,
    values: Values,
}

enum Values {
    Accumulated(Box<dyn Accumulator>),
    Counted(BTreeMap<OwnedRow, i64>),
    Listed {
        rows: BTreeMap<u64, OwnedRow>,
        places: HashMap<OwnedRow, BTreeSet<u64>>,
        next: u64,
    },
}

/// One group.
struct Group {
    rows: i64,
    kept: Vec<Kept>,
    /// The row last emitted for it.
    shown: Option<OwnedRow>,
}

/// What changed in a group since the last snapshot, a list for each call: there may be many values in it, of which few change.
#[derive(Default)]
struct Changes(Vec<CallChanges>);

/// What changed of what is kept for a call.
#[derive(Debug, Default)]
struct CallChanges {
    distinct: HashSet<OwnedRow>,
    /// Values that are counted.
    counted: HashSet<OwnedRow>,
    /// The places of values that are listed.
    listed: HashSet<u64>,
}

impl Changes {
    fn of_call(&mut self, call: usize) -> Option<&mut CallChanges> {
        let calls = self.0.len().max(call + 1);
        self.0.resize_with(calls, CallChanges::default);
        self.0.get_mut(call)
    }
}

impl Detail<Group> for Changes {
    fn removed(&mut self, group: &Group) {
        for (c, kept) in group.kept.iter().enumerate() {
            let Some(changes) = self.of_call(c) else {
                continue;
            };
            changes.distinct.extend(kept.distinct.keys().cloned());
            match &kept.values {
                Values::Accumulated(_) => {}
                Values::Counted(counted) => changes.counted.extend(counted.keys().cloned()),
                Values::Listed { rows, .. } => changes.listed.extend(rows.keys()),
            }
        }
    }
}

/// A value that a group keeps: how often it is there, or where.
type Entry<'a> = (&'a OwnedRow, &'a OwnedRow, i64);

/// The groups of one aggregate.
pub struct RetractGroups {
    aggregate: Arc<Aggregate>,
    keys: RowCodec,
    calls: Vec<Call>,
    groups: KeyedState<Group, Changes>,
}

impl RetractGroups {
    /// No groups yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or a function is not supported.
    pub fn new(aggregate: Arc<Aggregate>, input: &Schema) -> Result<Self> {
        let key_fields: Vec<FieldRef> = aggregate
            .result_schema
            .fields()
            .iter()
            .take(aggregate.group.len())
            .cloned()
            .collect();
        let calls = aggregate
            .calls
            .iter()
            .map(|plan| Call::new(plan, input))
            .collect::<Result<_>>()?;
        Ok(Self {
            keys: RowCodec::new(Arc::new(Schema::new(key_fields)))?,
            groups: KeyedState::new(aggregate.ttl),
            aggregate,
            calls,
        })
    }

    /// The key of every row: the grouping columns as one value.
    ///
    /// # Errors
    /// Where a grouping expression fails on a row.
    pub fn keys_of(&self, rows: &RecordBatch) -> Result<Vec<OwnedRow>> {
        self.keys
            .encode(&self.aggregate.keys(rows)?, rows.num_rows())
    }

    /// Adds and takes away rows; `keys` are those of the batch's rows. Returns the groups touched, in order of first mention.
    ///
    /// # Errors
    /// Where an expression or accumulator fails on a row.
    pub fn apply(&mut self, batch: &Batch, keys: &[OwnedRow]) -> Result<Vec<OwnedRow>> {
        let n = batch.num_rows();
        let mut touched: Vec<OwnedRow> = Vec::new();
        let mut members: HashMap<&OwnedRow, Vec<u32>> = HashMap::new();
        for (i, key) in (0u32..).zip(keys) {
            members
                .entry(key)
                .or_insert_with(|| {
                    touched.push(key.clone());
                    Vec::new()
                })
                .push(i);
        }
        let mut columns = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            columns.push(call.evaluate(&batch.rows, n)?);
        }
        for key in &touched {
            let Some(rows) = members.get(key) else {
                continue;
            };
            let writing = self.groups.write(key, || Group::new(&self.calls))?;
            let (group, mut changes) = (writing.value, writing.detail);
            group.rows += rows.iter().map(|i| batch.weight(*i as usize)).sum::<i64>();
            let calls = self.calls.iter().zip(&mut group.kept).zip(&columns);
            for (c, ((call, kept), evaluated)) in calls.enumerate() {
                let counted = rows.iter().map(|i| (*i, batch.weight(*i as usize)));
                let changes = changes.as_mut().and_then(|changes| changes.of_call(c));
                kept.apply(call, evaluated, counted, changes)?;
            }
        }
        Ok(touched)
    }

    /// The result rows of those of the groups that have rows, and which these are.
    ///
    /// # Errors
    /// Where a result cannot be had, such as a sum out of range.
    pub fn results(&mut self, keys: &[OwnedRow]) -> Result<(RecordBatch, Vec<bool>)> {
        let mut there = Vec::with_capacity(keys.len());
        let mut present = Vec::new();
        let mut cells: Vec<Vec<ScalarValue>> = vec![Vec::new(); self.calls.len()];
        for key in keys {
            let Some(group) = self.groups.get_mut(key).filter(|g| g.rows > 0) else {
                there.push(false);
                continue;
            };
            there.push(true);
            present.push(key);
            for ((call, kept), cells) in self.calls.iter().zip(&mut group.kept).zip(&mut cells) {
                cells.push(kept.result(call)?);
            }
        }
        let schema = &self.aggregate.result_schema;
        let mut columns = self
            .keys
            .decode(present.iter().copied())?
            .columns()
            .to_vec();
        let fields = schema.fields().iter().skip(columns.len());
        for (cells, field) in cells.into_iter().zip(fields.collect::<Vec<_>>()) {
            columns.push(if cells.is_empty() {
                new_empty_array(field.data_type())
            } else {
                ScalarValue::iter_to_array(cells)?
            });
        }
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(present.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
        Ok((rows, there))
    }

    /// A group is emitted as this row now, or not at all; returns what it was emitted as before. Without rows it is forgotten.
    pub fn show(&mut self, key: &OwnedRow, row: Option<OwnedRow>) -> Option<OwnedRow> {
        let group = self.groups.get_mut(key)?;
        let before = std::mem::replace(&mut group.shown, row);
        if group.rows == 0 {
            self.groups.remove(key);
        }
        before
    }

    /// Forgets a group.
    pub fn remove(&mut self, key: &OwnedRow) {
        self.groups.remove(key);
    }

    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(&self) -> Option<u64> {
        self.groups.clock_period()
    }

    /// The watermark moved to `time`: gives up groups by it.
    pub fn on_watermark(&mut self, time: i64) {
        self.groups.on_watermark(time);
    }

    /// The clock is at `time`: gives up groups by it.
    pub fn on_clock(&mut self, time: i64) {
        self.groups.on_clock(time);
    }

    /// The grouping columns of keys.
    ///
    /// # Errors
    /// Where a key is not of this aggregate.
    pub fn decode_keys<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a OwnedRow>,
    ) -> Result<RecordBatch> {
        self.keys.decode(keys)
    }

    /// The positions of the grouping columns.
    fn key_columns(&self) -> Vec<usize> {
        (0..self.aggregate.group.len()).collect()
    }

    /// The state: "groups" with the accumulators' own state, and for each call that keeps values "values", by value with its
    /// number, or by its place, and where they are DISTINCT "distinct", by value.
    ///
    /// # Errors
    /// Where an accumulator's state cannot be had.
    pub fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let changed = self.groups.take_changes();
        let mut parts = vec![self.groups_part(&changed)?];
        for (c, call) in self.calls.iter().enumerate() {
            if call.plan.distinct {
                parts.push(self.distinct_part(c, call, &changed)?);
            }
            match call.keeping {
                Keeping::Accumulated => {}
                Keeping::Counted(_) => parts.push(self.counted_part(c, call, &changed)?),
                Keeping::Listed => parts.push(self.listed_part(c, call, &changed)?),
            }
        }
        Ok(parts)
    }

    fn groups_part(&mut self, changed: &ChangedKeys<Changes>) -> Result<StatePart> {
        let keys: Vec<&OwnedRow> = changed.there().collect();
        let counts = keys.iter().filter_map(|k| self.groups.get(k));
        let counts = Int64Array::from_iter_values(counts.map(|g| g.rows));
        let mut fields = self.keys.schema().fields().to_vec();
        let mut columns = self.keys.decode(keys.iter().copied())?.columns().to_vec();
        fields.push(Arc::new(Field::new(ROWS, DataType::Int64, false)));
        fields.push(Arc::new(Field::new(WRITTEN, DataType::Int64, true)));
        columns.push(Arc::new(counts));
        columns.push(Arc::new(self.groups.written(keys.iter().copied())));
        for (c, call) in self.calls.iter().enumerate() {
            if call.keeping != Keeping::Accumulated {
                continue;
            }
            let state_fields = call.plan.function.state_fields()?;
            let mut states: Vec<Vec<ScalarValue>> = vec![Vec::new(); state_fields.len()];
            for key in &keys {
                let Some(Kept {
                    values: Values::Accumulated(accumulator),
                    ..
                }) = self.groups.get_mut(key).and_then(|g| g.kept.get_mut(c))
                else {
                    continue;
                };
                let state = accumulator.state()?;
                // Some accumulators are empty once their state was taken.
                *accumulator = restored(&call.plan.function, &state)?;
                states.iter_mut().zip(state).for_each(|(s, v)| s.push(v));
            }
            for (i, (states, field)) in states.into_iter().zip(state_fields).enumerate() {
                let name = format!("__call{c}_{i}");
                fields.push(Arc::new(Field::new(name, field.data_type().clone(), true)));
                columns.push(if states.is_empty() {
                    new_empty_array(field.data_type())
                } else {
                    ScalarValue::iter_to_array(states)?
                });
            }
        }
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let part = StatePart::keyed("groups", rows, &self.aggregate.key)?;
        Ok(part.replacing(self.key_columns(), changed.gone(&self.keys)?))
    }

    fn distinct_part(
        &self,
        c: usize,
        call: &Call,
        changed: &ChangedKeys<Changes>,
    ) -> Result<StatePart> {
        let mut entries = Entries::default();
        for (key, changes, kept) in self.changed_in(c, changed) {
            let of = kept.map(|kept| &kept.distinct);
            let find = |value| of.and_then(|of| of.get_key_value(value));
            let all = || of.into_iter().flatten();
            entries.add(key, changes.map(|c| &c.distinct), all, find);
        }
        self.values_part(&format!("distinct{c}"), call, entries, changed.is_whole)
    }

    fn counted_part(
        &self,
        c: usize,
        call: &Call,
        changed: &ChangedKeys<Changes>,
    ) -> Result<StatePart> {
        let mut entries = Entries::default();
        for (key, changes, kept) in self.changed_in(c, changed) {
            let of = kept.and_then(|kept| match &kept.values {
                Values::Counted(counted) => Some(counted),
                _ => None,
            });
            let find = |value| of.and_then(|of| of.get_key_value(value));
            let all = || of.into_iter().flatten();
            entries.add(key, changes.map(|c| &c.counted), all, find);
        }
        self.values_part(&format!("values{c}"), call, entries, changed.is_whole)
    }

    fn listed_part(
        &self,
        c: usize,
        call: &Call,
        changed: &ChangedKeys<Changes>,
    ) -> Result<StatePart> {
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        for (key, changes, kept) in self.changed_in(c, changed) {
            let of = kept.and_then(|kept| match &kept.values {
                Values::Listed { rows, .. } => Some(rows),
                _ => None,
            });
            // Their order is that of their numbers.
            match changes {
                None => there.extend(of.into_iter().flatten().map(|(n, v)| (key, v, *n as i64))),
                Some(changes) => {
                    for place in &changes.listed {
                        match of.and_then(|of| of.get(place)) {
                            Some(value) => there.push((key, value, *place as i64)),
                            None => gone.push((key, *place as i64)),
                        }
                    }
                }
            }
        }
        let rows = self.entries(call, &there)?;
        let part = StatePart::keyed(&format!("values{c}"), rows, &self.aggregate.key)?;
        if changed.is_whole {
            return Ok(part);
        }
        let mut key = self.key_columns();
        key.push(part.rows.num_columns() - 1);
        let keys = self.keys.decode(gone.iter().map(|(key, _)| *key))?;
        let places = Int64Array::from_iter_values(gone.iter().map(|(_, place)| *place));
        Ok(part.replacing(key, Some(with_numbers(&keys, NUMBER, places)?)))
    }

    /// The groups of a snapshot, with what changed in what they keep for a call (`None`: all of it is given), and what that is,
    /// if they are there.
    fn changed_in<'a>(
        &'a self,
        c: usize,
        changed: &'a ChangedKeys<Changes>,
    ) -> impl Iterator<Item = (&'a OwnedRow, Option<&'a CallChanges>, Option<&'a Kept>)> {
        let keys = changed.there.iter().chain(&changed.gone);
        keys.filter_map(move |(key, changes)| {
            let changes = changes.0.get(c);
            if !changed.is_whole && changes.is_none() {
                return None;
            }
            let kept = self.groups.get(key).and_then(|group| group.kept.get(c));
            Some((key, changes, kept))
        })
    }

    /// Entries whose key in the state is the group with the value.
    fn values_part(
        &self,
        name: &str,
        call: &Call,
        entries: Entries<'_>,
        is_whole: bool,
    ) -> Result<StatePart> {
        let rows = self.entries(call, &entries.there)?;
        let part = StatePart::keyed(name, rows, &self.aggregate.key)?;
        if is_whole {
            return Ok(part);
        }
        let key: Vec<usize> = (0..part.rows.num_columns() - 1).collect();
        let gone: Vec<Entry> = entries.gone.into_iter().map(|(k, v)| (k, v, 0)).collect();
        let gone = self.entries(call, &gone)?.project(&key)?;
        Ok(part.replacing(key, Some(gone)))
    }

    /// Grouping columns, arguments of the call, and the number.
    fn entries(&self, call: &Call, entries: &[Entry<'_>]) -> Result<RecordBatch> {
        let keys = self.keys.decode(entries.iter().map(|e| e.0))?;
        let values = call.codec.decode(entries.iter().map(|e| e.1))?;
        let numbers = Int64Array::from_iter_values(entries.iter().map(|e| e.2));
        let mut fields = keys.schema().fields().to_vec();
        fields.extend(values.schema().fields().iter().cloned());
        fields.push(Arc::new(Field::new(NUMBER, DataType::Int64, false)));
        let mut columns = keys.columns().to_vec();
        columns.extend(values.columns().iter().cloned());
        columns.push(Arc::new(numbers));
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    /// Takes state of [`RetractGroups::snapshot`]; returns the groups.
    ///
    /// # Errors
    /// Where the state is of another aggregate.
    pub fn restore(&mut self, parts: &[StatePart]) -> Result<Vec<OwnedRow>> {
        let width = self.keys.schema().fields().len();
        let all_keys = self.key_columns();
        let mut restored_keys = Vec::new();
        for part in parts.iter().filter(|p| p.name == "groups") {
            let keys = self.keys.encode_columns(&part.rows, &all_keys)?;
            let counts = part.rows.column(width).as_primitive::<Int64Type>();
            let times = part.rows.column(width + 1).as_primitive::<Int64Type>();
            for (i, key) in keys.into_iter().enumerate() {
                let mut group = Group::new(&self.calls)?;
                group.rows = counts.value(i);
                let mut at = width + 2;
                for (call, kept) in self.calls.iter().zip(&mut group.kept) {
                    if let Values::Accumulated(accumulator) = &mut kept.values {
                        let n = call.plan.function.state_fields()?.len();
                        let state: Vec<ArrayRef> = (at..at + n)
                            .map(|c| part.rows.column(c).slice(i, 1))
                            .collect();
                        accumulator.merge_batch(&state)?;
                        at += n;
                    }
                }
                restored_keys.push(key.clone());
                let written = times.is_valid(i).then(|| times.value(i));
                self.groups.restore(key, group, written);
            }
        }
        for (c, call) in self.calls.iter().enumerate() {
            for part in parts {
                let is_distinct = part.name == format!("distinct{c}");
                if !is_distinct && part.name != format!("values{c}") {
                    continue;
                }
                let keys = self.keys.encode_columns(&part.rows, &all_keys)?;
                let arguments: Vec<usize> = (width..part.rows.num_columns() - 1).collect();
                let values = call.codec.encode_columns(&part.rows, &arguments)?;
                let numbers = part
                    .rows
                    .column(part.rows.num_columns() - 1)
                    .as_primitive::<Int64Type>();
                for ((key, value), number) in keys.iter().zip(values).zip(numbers.values()) {
                    let Some(kept) = self.groups.get_mut(key).and_then(|g| g.kept.get_mut(c))
                    else {
                        return Err(Error::internal(format!(
                            "state '{}' of a group that is not there",
                            part.name
                        )));
                    };
                    if is_distinct {
                        kept.distinct.insert(value, *number);
                    } else {
                        kept.values.restore(value, *number);
                    }
                }
            }
        }
        self.groups.restored();
        Ok(restored_keys)
    }
}

/// What a snapshot gives of values that have a number each.
#[derive(Default)]
struct Entries<'a> {
    there: Vec<Entry<'a>>,
    gone: Vec<(&'a OwnedRow, &'a OwnedRow)>,
}

impl<'a> Entries<'a> {
    /// Those of a group: the values that changed, each if it can be found, or else all.
    fn add<I>(
        &mut self,
        key: &'a OwnedRow,
        changed: Option<&'a HashSet<OwnedRow>>,
        all: impl Fn() -> I,
        find: impl Fn(&'a OwnedRow) -> Option<(&'a OwnedRow, &'a i64)>,
    ) where
        I: Iterator<Item = (&'a OwnedRow, &'a i64)>,
    {
        match changed {
            None => self.there.extend(all().map(|(v, n)| (key, v, *n))),
            Some(changed) => {
                for value in changed {
                    match find(value) {
                        Some((value, n)) => self.there.push((key, value, *n)),
                        None => self.gone.push((key, value)),
                    }
                }
            }
        }
    }
}

/// State columns of our own; no column of a query can have such a name before it.
const ROWS: &str = "__rows";
const WRITTEN: &str = "__written";
const NUMBER: &str = "__number";

/// The arguments of a call on one batch.
struct Evaluated {
    arrays: Vec<ArrayRef>,
    rows: Vec<OwnedRow>,
    filter: Option<BooleanArray>,
}

impl Call {
    fn new(plan: &AggregateCall, input: &Schema) -> Result<Self> {
        let arguments = plan.function.expressions();
        let fields = arguments
            .iter()
            .enumerate()
            .map(|(i, e)| Ok(Field::new(format!("__arg{i}"), e.data_type(input)?, true)));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?));
        let keeping = match plan.function.fun().name() {
            "min" => Keeping::Counted(Needs::First),
            "max" => Keeping::Counted(Needs::Last),
            "first_value" | "last_value" | "listagg" | "array_agg" | "string_agg" | "collect" => {
                Keeping::Listed
            }
            _ if plan.function.create_accumulator()?.supports_retract_batch() => {
                Keeping::Accumulated
            }
            _ => Keeping::Counted(Needs::All),
        };
        Ok(Self {
            plan: plan.clone(),
            keeping,
            codec: RowCodec::new(schema)?,
        })
    }

    fn evaluate(&self, rows: &RecordBatch, n: usize) -> Result<Evaluated> {
        let expressions = self.plan.function.expressions();
        let arrays = expressions
            .iter()
            .map(|e| evaluate::values(e, rows))
            .collect::<Result<Vec<_>>>()?;
        let filter = match &self.plan.filter {
            Some(filter) => Some(evaluate::mask(filter, rows, "FILTER")?),
            None => None,
        };
        let as_values = self.plan.distinct || self.keeping != Keeping::Accumulated;
        let encoded = if as_values {
            self.codec.encode(&arrays, n)?
        } else {
            Vec::new()
        };
        Ok(Evaluated {
            arrays,
            rows: encoded,
            filter,
        })
    }
}

impl Evaluated {
    fn keeps(&self, row: u32) -> bool {
        let i = row as usize;
        self.filter
            .as_ref()
            .is_none_or(|f| f.is_valid(i) && f.value(i))
    }

    fn take(&self, rows: &[u32]) -> Result<Vec<ArrayRef>> {
        let indices = UInt32Array::from(rows.to_vec());
        self.arrays
            .iter()
            .map(|a| Ok(take(a, &indices, None)?))
            .collect()
    }
}

impl Group {
    fn new(calls: &[Call]) -> Result<Self> {
        let kept = calls.iter().map(|call| {
            let values = match call.keeping {
                Keeping::Accumulated => {
                    Values::Accumulated(call.plan.function.create_accumulator()?)
                }
                Keeping::Counted(_) => Values::Counted(BTreeMap::new()),
                Keeping::Listed => Values::Listed {
                    rows: BTreeMap::new(),
                    places: HashMap::new(),
                    next: 0,
                },
            };
            Ok(Kept {
                distinct: HashMap::new(),
                values,
            })
        });
        Ok(Self {
            rows: 0,
            kept: kept.collect::<Result<_>>()?,
            shown: None,
        })
    }
}

impl Kept {
    /// Adds and takes away the values of rows, each with its weight.
    fn apply(
        &mut self,
        call: &Call,
        evaluated: &Evaluated,
        rows: impl Iterator<Item = (u32, i64)>,
        mut changes: Option<&mut CallChanges>,
    ) -> Result<()> {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (row, mut weight) in rows.filter(|(row, _)| evaluated.keeps(*row)) {
            if call.plan.distinct {
                let value = &evaluated.rows[row as usize];
                weight = self.distinct_change(value, weight);
                if let Some(changes) = &mut changes
                    && !changes.distinct.contains(value)
                {
                    changes.distinct.insert(value.clone());
                }
            }
            match &mut self.values {
                Values::Accumulated(_) => {
                    let to = if weight > 0 { &mut added } else { &mut removed };
                    (0..weight.unsigned_abs()).for_each(|_| to.push(row));
                }
                other => {
                    let changes = changes.as_deref_mut();
                    other.change(&evaluated.rows[row as usize], weight, changes);
                }
            }
        }
        if let Values::Accumulated(accumulator) = &mut self.values {
            if !added.is_empty() {
                accumulator.update_batch(&evaluated.take(&added)?)?;
            }
            if !removed.is_empty() {
                accumulator.retract_batch(&evaluated.take(&removed)?)?;
            }
        }
        Ok(())
    }

    /// The weight with which a value counts once.
    fn distinct_change(&mut self, value: &OwnedRow, weight: i64) -> i64 {
        let count = self.distinct.entry(value.clone()).or_default();
        let before = i64::from(*count > 0);
        *count += weight;
        let after = i64::from(*count > 0);
        if *count == 0 {
            self.distinct.remove(value);
        }
        after - before
    }

    fn result(&mut self, call: &Call) -> Result<ScalarValue> {
        let values: Vec<&OwnedRow> = match &mut self.values {
            Values::Accumulated(accumulator) => return Ok(accumulator.evaluate()?),
            Values::Counted(counted) => {
                // NULL, which orders first, takes no part in MIN and MAX.
                let there = || counted.iter().filter(|(_, n)| **n > 0);
                match call.keeping {
                    Keeping::Counted(Needs::First) => there().take(2).map(|(v, _)| v).collect(),
                    Keeping::Counted(Needs::Last) => {
                        there().next_back().map(|(v, _)| v).into_iter().collect()
                    }
                    _ => there().flat_map(|(v, n)| (0..*n).map(move |_| v)).collect(),
                }
            }
            Values::Listed { rows, .. } => rows.values().collect(),
        };
        let mut accumulator = call.plan.function.create_accumulator()?;
        accumulator.update_batch(call.codec.decode(values)?.columns())?;
        Ok(accumulator.evaluate()?)
    }
}

impl Values {
    fn change(&mut self, value: &OwnedRow, weight: i64, mut changes: Option<&mut CallChanges>) {
        let mut place_changed = |place: u64| {
            if let Some(changes) = &mut changes {
                changes.listed.insert(place);
            }
        };
        match self {
            Self::Accumulated(_) => {}
            Self::Counted(counted) => {
                if let Some(changes) = changes
                    && !changes.counted.contains(value)
                {
                    changes.counted.insert(value.clone());
                }
                let n = counted.entry(value.clone()).or_default();
                *n += weight;
                if *n == 0 {
                    counted.remove(value);
                }
            }
            Self::Listed { rows, places, next } => {
                for _ in 0..weight {
                    rows.insert(*next, value.clone());
                    places.entry(value.clone()).or_default().insert(*next);
                    place_changed(*next);
                    *next += 1;
                }
                for _ in weight..0 {
                    let Some(own) = places.get_mut(value) else {
                        return;
                    };
                    if let Some(place) = own.pop_first() {
                        rows.remove(&place);
                        place_changed(place);
                    }
                    if own.is_empty() {
                        places.remove(value);
                    }
                }
            }
        }
    }

    fn restore(&mut self, value: OwnedRow, number: i64) {
        match self {
            Self::Accumulated(_) => {}
            Self::Counted(counted) => {
                counted.insert(value, number);
            }
            Self::Listed { rows, places, next } => {
                let place = number as u64;
                rows.insert(place, value.clone());
                places.entry(value).or_default().insert(place);
                *next = (*next).max(place + 1);
            }
        }
    }
}

fn restored(
    function: &AggregateFunctionExpr,
    state: &[ScalarValue],
) -> Result<Box<dyn Accumulator>> {
    let mut accumulator = function.create_accumulator()?;
    let columns = state
        .iter()
        .map(|v| Ok(v.to_array()?))
        .collect::<Result<Vec<_>>>()?;
    accumulator.merge_batch(&columns)?;
    Ok(accumulator)
}
