//! Rows of numbers and times for the tests of operators.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use datafusion::logical_expr::Operator as BinaryOperator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};

use super::{Element, Operator, Output};
use crate::changelog::Batch;
use crate::state::{StatePart, instance_of, merge};
use crate::time::Watermark;

/// A row of numbers.
pub type Numbers = Vec<Option<i64>>;

/// Rows with their weights.
pub type Folded = BTreeMap<Numbers, i64>;

/// A schema of nullable columns: `t...` and `w...` are times, `m...` booleans, all others numbers.
pub fn schema(names: &[&str]) -> SchemaRef {
    let field = |name: &&str| {
        let data_type = match name.as_bytes().first() {
            Some(b't' | b'w') => DataType::Timestamp(TimeUnit::Millisecond, None),
            Some(b'm') => DataType::Boolean,
            _ => DataType::Int64,
        };
        Field::new(*name, data_type, true)
    };
    Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
}

/// Rows of a schema.
pub fn record_batch(schema: &SchemaRef, rows: &[Numbers]) -> RecordBatch {
    let columns = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(c, field)| -> ArrayRef {
            let numbers: Int64Array = rows.iter().map(|row| row[c]).collect();
            cast(&numbers, field.data_type()).unwrap()
        });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
}

/// Rows without NULLs.
pub fn rows<const N: usize>(schema: &SchemaRef, rows: &[[i64; N]]) -> Batch {
    let rows: Vec<Numbers> = rows
        .iter()
        .map(|r| r.iter().copied().map(Some).collect())
        .collect();
    Batch::append(record_batch(schema, &rows))
}

/// The same rows, each behind a watermark.
pub fn behind(mut batch: Batch, watermarks: &[Option<i64>]) -> Batch {
    batch.behind = Some(watermarks.iter().copied().collect());
    batch
}

/// The same rows with weights.
pub fn weighted(mut batch: Batch, weights: &[i64]) -> Batch {
    batch.weights = Some(weights.to_vec().into());
    batch
}

/// Rows with their weights, in order.
pub fn numbers(batch: &Batch) -> Vec<(Numbers, i64)> {
    let columns: Vec<ArrayRef> = batch
        .rows
        .columns()
        .iter()
        .map(|c| cast(c, &DataType::Int64).unwrap())
        .collect();
    let cell = |c: &ArrayRef, i: usize| c.as_primitive::<Int64Type>().iter().nth(i).flatten();
    let row = |i: usize| columns.iter().map(|c| cell(c, i)).collect();
    (0..batch.num_rows())
        .map(|i| (row(i), batch.weight(i)))
        .collect()
}

/// The batches of what was emitted.
pub fn batches(out: &Output) -> impl Iterator<Item = &Batch> {
    out.elements.iter().filter_map(|e| match e {
        Element::Batch(batch) => Some(batch),
        _ => None,
    })
}

/// The watermarks of what was emitted.
pub fn watermarks(out: &Output) -> Vec<Watermark> {
    let watermark = |e: &Element| match e {
        Element::Watermark(w) => Some(*w),
        _ => None,
    };
    out.elements.iter().filter_map(watermark).collect()
}

/// Adds up what was emitted.
pub fn fold(into: &mut Folded, out: &Output) {
    for (row, weight) in batches(out).flat_map(numbers) {
        let sum = into.entry(row.clone()).or_default();
        *sum += weight;
        if *sum == 0 {
            into.remove(&row);
        }
    }
}

/// What an element leads to, all of it.
pub fn give(operator: &mut dyn Operator, port: usize, element: Element) -> Output {
    let mut out = Output::default();
    let mut next = Some(element);
    while let Some(element) = next {
        match element {
            Element::Batch(batch) => operator.on_batch(port, batch, &mut out).unwrap(),
            Element::Watermark(time) => operator.on_watermark(time, &mut out).unwrap(),
            other => panic!("{other:?}"),
        }
        next = out.rest.take();
    }
    out
}

/// What an operator hands over in a snapshot.
pub fn taken(operator: &mut dyn Operator) -> Vec<StatePart> {
    let parts = operator.snapshot().unwrap();
    parts.iter().map(|part| part.part().unwrap()).collect()
}

/// What a batch leads to: rows without NULLs, with weights, in order.
pub fn feed(operator: &mut dyn Operator, port: usize, batch: Batch) -> Vec<(Vec<i64>, i64)> {
    plain(&give(operator, port, Element::Batch(batch)))
}

/// What a watermark leads to.
pub fn advance(operator: &mut dyn Operator, time: i64) -> Vec<(Vec<i64>, i64)> {
    plain(&give(operator, 0, Element::Watermark(Watermark::At(time))))
}

/// NULL, among numbers.
pub const NULL: i64 = i64::MIN;

fn plain(out: &Output) -> Vec<(Vec<i64>, i64)> {
    let row =
        |(row, weight): (Numbers, i64)| (row.iter().map(|n| n.unwrap_or(NULL)).collect(), weight);
    batches(out).flat_map(numbers).map(row).collect()
}

/// Instances of an operator, and what their snapshots gave. One is taken after every second batch.
pub struct Instances<T> {
    /// The instances.
    pub all: Vec<T>,
    /// The parts of each table that are still valid, oldest first.
    log: BTreeMap<String, Vec<StatePart>>,
    batches: usize,
}

impl<T: Operator> Instances<T> {
    /// So many new instances.
    pub fn new(parallelism: usize, make: impl Fn() -> T) -> Self {
        Self {
            all: (0..parallelism).map(|_| make()).collect(),
            log: BTreeMap::new(),
            batches: 0,
        }
    }

    /// Takes a snapshot, as a checkpoint does.
    pub fn snapshot(&mut self) {
        let mut now: BTreeMap<String, Vec<StatePart>> = BTreeMap::new();
        for instance in &mut self.all {
            let parts = taken(instance);
            let mut names: Vec<&String> = parts.iter().map(|p| &p.name).collect();
            names.dedup();
            assert_eq!(names.len(), parts.len(), "one part a table");
            for part in parts {
                now.entry(part.name.clone()).or_default().push(part);
            }
        }
        assert!(self.log.keys().all(|table| now.contains_key(table)));
        for (table, parts) in now {
            assert_eq!(parts.len(), self.all.len(), "a part of every instance");
            let changes = parts.iter().filter(|p| p.changes.is_some()).count();
            assert!(changes == 0 || changes == parts.len());
            let log = self.log.entry(table).or_default();
            if changes == 0 {
                log.clear();
            }
            log.extend(parts);
        }
    }

    /// The whole tables of the last snapshot.
    pub fn state(&self) -> Vec<StatePart> {
        let tables = self.log.values();
        tables
            .flat_map(|parts| merge(parts.clone()).unwrap())
            .collect()
    }

    /// Instances that take over the state of these.
    pub fn rescale(&mut self, parallelism: usize, make: impl Fn() -> T) {
        self.snapshot();
        let state = self.state();
        self.all = (0..parallelism).map(|_| make()).collect();
        for (i, instance) in self.all.iter_mut().enumerate() {
            let mine = state.iter().map(|p| p.of_instance(i, parallelism).unwrap());
            instance
                .restore(mine.filter(|p| p.rows.num_rows() > 0).collect())
                .unwrap();
        }
    }

    /// Spreads rows by the columns `keys` and adds up what they lead to.
    pub fn on_batch(&mut self, port: usize, batch: &Batch, keys: &[usize], into: &mut Folded) {
        let part = StatePart::keyed("", batch.rows.clone(), keys).unwrap();
        let parallelism = self.all.len();
        for (i, instance) in self.all.iter_mut().enumerate() {
            let mine = part
                .key_groups
                .iter()
                .map(|g| Some(instance_of(g?, parallelism) == i));
            let mine = Element::Batch(batch.filter(&mine.collect()).unwrap());
            fold(into, &give(instance, port, mine));
        }
        self.batches += 1;
        if self.batches.is_multiple_of(2) {
            self.snapshot();
        }
    }

    /// Moves event time and adds up what that leads to.
    pub fn on_watermark(&mut self, time: i64, into: &mut Folded) {
        for instance in &mut self.all {
            let watermark = Element::Watermark(Watermark::At(time));
            fold(into, &give(instance, 0, watermark));
        }
    }
}

/// `left < right`, columns by index.
pub fn less_than(left: usize, right: usize) -> Arc<dyn PhysicalExpr> {
    let column = |i: usize| Arc::new(Column::new("c", i));
    Arc::new(BinaryExpr::new(
        column(left),
        BinaryOperator::Lt,
        column(right),
    ))
}
