//! Snapshots that are changes, of every operator that gives them: one that was restored from what they add up to goes on as one
//! that never stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::functions_aggregate::{count, first_last, min_max, sum};
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::Column;
use proptest::prelude::*;

use super::aggregator::Aggregator;
use super::testing::*;
use super::{Element, Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::*;
use crate::state::{StatePart, StateTtl, TableSnapshot};
use crate::time::Watermark;

/// The rows of all tests: a key, a value, a time.
fn input() -> SchemaRef {
    schema(&["k", "v", "t"])
}

#[derive(Debug, Clone)]
enum Step {
    /// Rows of an input: key, value, time ahead of the watermark, and whether one that is there goes instead.
    Rows(usize, Vec<(i64, Option<i64>, i64, bool)>),
    /// Event time goes on.
    Time(i64),
    /// A snapshot.
    Snapshot,
    /// A restart with so many instances.
    Restart(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = (
        0i64..4,
        proptest::option::weighted(0.9, 0i64..4),
        1i64..20,
        proptest::bool::weighted(0.3),
    );
    let step = prop_oneof![
        6 => (0usize..2, proptest::collection::vec(row, 1..5)).prop_map(|(p, r)| Step::Rows(p, r)),
        3 => (0i64..12).prop_map(Step::Time),
        3 => Just(Step::Snapshot),
        1 => (1usize..4).prop_map(Step::Restart),
    ];
    proptest::collection::vec(step, 1..30)
}

type Tested = std::result::Result<(), TestCaseError>;

/// How an operator is to be fed.
struct Feed<'a> {
    /// The columns rows are spread by.
    keys: &'a [usize],
    ports: usize,
    /// Rows that came may go again.
    retracts: bool,
    /// Any row may go: it names a key.
    upserts: bool,
    /// Rows may be behind the watermark of their source partition.
    behind: bool,
}

impl Feed<'_> {
    const APPEND: Feed<'static> = Feed {
        keys: &[0],
        ports: 1,
        retracts: false,
        upserts: false,
        behind: false,
    };
    const UPDATING: Feed<'static> = Feed {
        retracts: true,
        ..Self::APPEND
    };
}

/// Runs an operator that never stops beside instances that do, and compares what they emit and, at the end, how much they keep.
fn compare(make: &dyn Fn() -> Boxed, feed: &Feed, steps: Vec<Step>) -> Tested {
    let mut once = make();
    let mut instances = Instances::new(2, make);
    let (mut expected, mut folded) = (Folded::new(), Folded::new());
    let mut there = [Folded::new(), Folded::new()];
    // Before the first watermark no time is known.
    let (mut now, mut is_known) = (0, false);
    for step in steps {
        match step {
            Step::Rows(port, rows) => {
                let port = port % feed.ports;
                let there = &mut there[port];
                let (mut numbers, mut weights): (Vec<Numbers>, Vec<i64>) = (vec![], vec![]);
                let mut watermarks = Vec::new();
                for (k, v, ahead, goes) in rows {
                    let mut row = vec![Some(k), v, Some(now + ahead)];
                    let is_behind = goes && feed.behind;
                    watermarks.push(is_behind.then_some(now + ahead + v.unwrap_or(9)));
                    let of_key = there.keys().find(|row| row[0] == Some(k)).cloned();
                    let goes = goes && (feed.retracts || feed.upserts);
                    match of_key.filter(|_| goes && feed.retracts) {
                        Some(gone) => row = gone,
                        None if goes && !feed.upserts => continue,
                        None => {}
                    }
                    let weight = if goes { -1 } else { 1 };
                    let count = there.entry(row.clone()).or_default();
                    *count += weight;
                    if *count == 0 {
                        there.remove(&row);
                    }
                    numbers.push(row);
                    weights.push(weight);
                }
                let mut batch = Batch::append(record_batch(&input(), &numbers));
                if feed.retracts || feed.upserts {
                    batch = weighted(batch, &weights);
                }
                if feed.behind {
                    batch = behind(batch, &watermarks);
                }
                let element = Element::Batch(batch.clone());
                let out = give(&mut once, port, element);
                fold(&mut expected, &out);
                instances.on_batch(port, &batch, feed.keys, &mut folded);
            }
            Step::Time(by) => {
                (now, is_known) = (now + by, true);
                let element = Element::Watermark(Watermark::At(now));
                let out = give(&mut once, 0, element);
                fold(&mut expected, &out);
                instances.on_watermark(now, &mut folded);
            }
            Step::Snapshot => instances.snapshot(),
            Step::Restart(parallelism) => {
                instances.rescale(parallelism, make);
                // The sources' watermarks are part of a checkpoint.
                if is_known {
                    instances.on_watermark(now, &mut folded);
                }
            }
        }
        prop_assert_eq!(&folded, &expected);
    }
    instances.snapshot();
    let sizes = |parts: Vec<StatePart>| -> BTreeMap<String, usize> {
        let size = |p: StatePart| (p.name, p.rows.num_rows());
        parts.into_iter().map(size).collect()
    };
    let whole = taken(&mut once);
    prop_assert!(whole.iter().all(|part| part.changes.is_none()));
    prop_assert_eq!(sizes(instances.state()), sizes(whole));
    Ok(())
}

/// An operator of any kind.
struct Boxed(Box<dyn Operator>);

impl Operator for Boxed {
    fn on_batch(&mut self, port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        self.0.on_batch(port, batch, out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        self.0.on_watermark(watermark, out)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.0.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.0.restore(parts)
    }
}

fn make(operation: &Operation, output: &SchemaRef) -> Boxed {
    let inputs = [input(), input()];
    let operator = super::operator(operation, &inputs, output, &Arc::default(), 3).unwrap();
    Boxed(operator.unwrap())
}

fn ttl(on: bool) -> Option<StateTtl> {
    let ttl = StateTtl {
        after: 25,
        by_event_time: true,
    };
    on.then_some(ttl)
}

fn column(name: &str, at: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(name, at))
}

fn call(function: Arc<AggregateUDF>, distinct: bool) -> AggregateCall {
    let function = AggregateExprBuilder::new(function, vec![column("v", 1)])
        .schema(input())
        .alias("c")
        .build()
        .unwrap();
    AggregateCall {
        function: Arc::new(function),
        filter: None,
        distinct,
    }
}

/// Calls that keep their values in every way: accumulated, counted, listed, and each once.
fn calls(distinct: bool) -> Vec<AggregateCall> {
    vec![
        call(sum::sum_udaf(), false),
        call(min_max::min_udaf(), false),
        call(min_max::max_udaf(), false),
        AggregateCall {
            filter: distinct.then(|| less_than(1, 0)),
            ..call(count::count_udaf(), distinct)
        },
        call(sum::sum_udaf(), distinct),
        call(first_last::last_value_udaf(), false),
    ]
}

/// Grouped by the key, and by the time too where there is a window (of no length, that ends at the time).
fn aggregate(has_window: bool, given: AggregateInput, ttl: Option<StateTtl>) -> Aggregate {
    let group: &[(&str, usize)] = match has_window {
        true => &[("k", 0), ("t", 2), ("t", 2)],
        false => &[("k", 0)],
    };
    let calls = calls(given != AggregateInput::Partials);
    let time = input().field(2).data_type().clone();
    let mut keys = vec![Field::new("k", DataType::Int64, true)];
    if has_window {
        keys.push(Field::new("s", time.clone(), true));
        keys.push(Field::new("e", time, true));
    }
    let states = calls
        .iter()
        .flat_map(|c| c.function.state_fields().unwrap());
    let states = states.map(|f| f.as_ref().clone().with_nullable(true));
    let partials: Vec<Field> = keys.iter().cloned().chain(states).collect();
    let results = calls.iter().map(|c| {
        let field = c.function.field();
        Field::new("c", field.data_type().clone(), true)
    });
    let results: Vec<Field> = keys.into_iter().chain(results).collect();
    Aggregate {
        group: group
            .iter()
            .map(|(name, at)| (column(name, *at), name.to_string()))
            .collect(),
        key: vec![0],
        window: has_window.then_some((1, 2)),
        slices: None,
        calls,
        partial_schema: Arc::new(Schema::new(partials)),
        result_schema: Arc::new(Schema::new(results)),
        ttl,
        mini_batch: None,
        input: given,
    }
}

/// The second phase of an aggregation, with the first in front of it.
struct TwoPhases(Arc<Aggregate>, Boxed);

impl Operator for TwoPhases {
    fn on_batch(&mut self, port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let mut first = Aggregator::new(Arc::clone(&self.0))?;
        first.update(&batch.rows, &self.0.keys(&batch.rows)?)?;
        self.1
            .on_batch(port, Batch::append(first.take_partials()?), out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        self.1.on_watermark(watermark, out)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.1.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.1.restore(parts)
    }
}

fn over(time: OverTime, frame: Frame, calls: Vec<OverFunction>, ttl: Option<StateTtl>) -> Over {
    Over {
        partition: vec![0],
        time,
        frame,
        calls,
        ttl,
    }
}

fn over_calls(frame: Frame) -> Vec<OverFunction> {
    let own = flowline_udfs::aggregate_functions().into_iter();
    let own = own.filter(|f| matches!(f.name(), "sum" | "avg" | "min" | "max" | "first_value"));
    let mut aggregates: Vec<AggregateCall> = own.map(|f| call(f, false)).collect();
    aggregates.push(call(sum::sum_udaf(), false));
    aggregates.push(AggregateCall {
        distinct: true,
        filter: Some(less_than(1, 0)),
        ..call(count::count_udaf(), false)
    });
    let mut calls: Vec<OverFunction> = aggregates
        .into_iter()
        .map(OverFunction::Aggregate)
        .collect();
    if frame == Frame::RowsUnbounded {
        calls.push(OverFunction::Lag {
            value: column("v", 1),
            offset: 2,
            default: None,
        });
        calls.push(OverFunction::Rank(RankFunction::RowNumber));
    }
    calls
}

fn with_results(calls: usize) -> SchemaRef {
    let mut fields = input().fields().to_vec();
    let result = |i: usize| Arc::new(Field::new(format!("c{i}"), DataType::Int64, true));
    fields.extend((0..calls).map(result));
    Arc::new(Schema::new(fields))
}

fn rank(time: RankTime, retracts: bool, to: u64, ttl: Option<StateTtl>) -> Operation {
    Operation::Rank(Arc::new(Rank {
        function: RankFunction::RowNumber,
        partition: vec![0],
        order: vec![SortColumn {
            column: 1,
            descending: true,
            nulls_first: false,
        }],
        from: 1,
        to,
        with_rank: false,
        time,
        retracts,
        last_first: false,
        ttl,
    }))
}

fn join(time: JoinTime, kind: JoinKind, ttl: Option<StateTtl>, updating: bool) -> Operation {
    // The window is part of the key.
    let keys = match time {
        JoinTime::Window(left, right) => vec![(0, 0), (left, right)],
        _ => vec![(0, 0)],
    };
    Operation::Join(Arc::new(Join {
        kind,
        time,
        keys,
        nulls_equal: false,
        filter: Some(less_than(1, 4)),
        null_aware: false,
        ttl,
        updating: (updating, updating),
    }))
}

/// What comes to an aggregation.
fn given() -> impl Strategy<Value = AggregateInput> {
    use AggregateInput::{Changes, Partials, Rows};
    prop_oneof![Just(Partials), Just(Rows), Just(Changes)]
}

fn aggregate_of(
    operation: &dyn Fn(Arc<Aggregate>) -> Operation,
    of: Aggregate,
    steps: Vec<Step>,
) -> Tested {
    let aggregate = Arc::new(of);
    let make = || {
        let operation = operation(Arc::clone(&aggregate));
        let one = make(&operation, &aggregate.result_schema);
        match aggregate.input {
            AggregateInput::Partials => Boxed(Box::new(TwoPhases(Arc::clone(&aggregate), one))),
            _ => one,
        }
    };
    let feed = match (aggregate.input, aggregate.window) {
        (AggregateInput::Changes, None) => Feed::UPDATING,
        // What goes from a window after it has fired is late, here as there.
        _ => Feed::APPEND,
    };
    compare(&make, &feed, steps)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn group_aggregate(steps in steps(), given in given(), expires: bool) {
        aggregate_of(&Operation::GroupAggregate, aggregate(false, given, ttl(expires)), steps)?;
    }

    #[test]
    fn window_aggregate(steps in steps(), given in given()) {
        aggregate_of(&Operation::WindowAggregate, aggregate(true, given, None), steps)?;
    }

    #[test]
    fn normalize(steps in steps(), expires: bool) {
        let operation = Operation::ChangelogNormalize { key: vec![0], ttl: ttl(expires) };
        let feed = Feed { upserts: true, ..Feed::APPEND };
        compare(&|| make(&operation, &input()), &feed, steps)?;
    }

    #[test]
    fn materialize(steps in steps(), expires: bool, first: bool) {
        let conflict = if first { Conflict::Nothing } else { Conflict::Deduplicate };
        let operation = Operation::UpsertMaterialize { key: vec![0], conflict, ttl: ttl(expires) };
        compare(&|| make(&operation, &input()), &Feed::UPDATING, steps)?;
    }

    #[test]
    fn over_by_time(steps in steps(), frame in 0usize..4, by_arrival: bool, expires: bool) {
        let frame = [Frame::RowsUnbounded, Frame::Rows(2), Frame::RangeUnbounded, Frame::Range(15)][frame];
        let time = if by_arrival { OverTime::Arrival(Some(2)) } else { OverTime::Event(2) };
        let calls = over_calls(frame);
        let output = with_results(calls.len());
        let operation = Operation::Over(Arc::new(over(time, frame, calls, ttl(expires))));
        // By arrival times must not go back.
        let steps = steps.into_iter().map(|step| match step {
            Step::Rows(port, mut rows) if by_arrival => {
                rows.iter_mut().for_each(|row| row.2 = 0);
                Step::Rows(port, rows)
            }
            other => other,
        });
        compare(&|| make(&operation, &output), &Feed::APPEND, steps.collect())?;
    }

    #[test]
    fn over_by_any_column(steps in steps(), expires: bool) {
        let order = SortColumn { column: 1, descending: false, nulls_first: true };
        let calls = over_calls(Frame::RowsUnbounded);
        let output = with_results(calls.len());
        let time = OverTime::Updating(vec![order]);
        let over = over(time, Frame::RowsUnbounded, calls, ttl(expires));
        let operation = Operation::Over(Arc::new(over));
        compare(&|| make(&operation, &output), &Feed::UPDATING, steps)?;
    }

    #[test]
    fn top_n(steps in steps(), expires: bool, retracts: bool, to in 1u64..4) {
        let operation = rank(RankTime::Updating, retracts, to, ttl(expires));
        let feed = if retracts { Feed::UPDATING } else { Feed::APPEND };
        compare(&|| make(&operation, &input()), &feed, steps)?;
    }

    #[test]
    fn first_row(steps in steps(), expires: bool, by_arrival: bool) {
        let time = if by_arrival { RankTime::FirstByArrival } else { RankTime::FirstByTime(2) };
        let operation = rank(time, false, 1, ttl(expires));
        compare(&|| make(&operation, &input()), &Feed::APPEND, steps)?;
    }

    #[test]
    fn regular_join(steps in steps(), expires: bool, updating: bool, kind in 0usize..3) {
        let kind = [JoinKind::Inner, JoinKind::Left, JoinKind::Full][kind];
        let operation = join(JoinTime::Regular, kind, ttl(expires), updating);
        let output = schema(&["k", "v", "t", "k2", "v2", "t2"]);
        let feed = if updating { Feed::UPDATING } else { Feed::APPEND };
        compare(&|| make(&operation, &output), &Feed { ports: 2, ..feed }, steps)?;
    }

    #[test]
    fn interval_join(steps in steps(), kind in 0usize..3) {
        let kind = [JoinKind::Inner, JoinKind::Left, JoinKind::Full][kind];
        let time = JoinTime::Interval { left: 2, right: 2, lower: -10, upper: 5 };
        let operation = join(time, kind, None, false);
        let output = schema(&["k", "v", "t", "k2", "v2", "t2"]);
        compare(&|| make(&operation, &output), &Feed { ports: 2, ..Feed::APPEND }, steps)?;
    }

    #[test]
    fn window_join(steps in steps(), kind in 0usize..3) {
        let kind = [JoinKind::Inner, JoinKind::Left, JoinKind::LeftAnti][kind];
        let operation = join(JoinTime::Window(2, 2), kind, None, false);
        let output = match kind {
            JoinKind::LeftAnti => input(),
            _ => schema(&["k", "v", "t", "k2", "v2", "t2"]),
        };
        let feed = Feed { ports: 2, keys: &[0, 2], ..Feed::APPEND };
        compare(&|| make(&operation, &output), &feed, steps)?;
    }

    #[test]
    fn window_rank(steps in steps(), to in 1u64..3) {
        let Operation::Rank(plan) = rank(RankTime::Window(2), false, to, None) else {
            return Err(TestCaseError::fail("no rank"));
        };
        let plan = Rank { partition: vec![0, 2], ..plan.as_ref().clone() };
        let operation = Operation::Rank(Arc::new(plan));
        let feed = Feed { keys: &[0, 2], ..Feed::APPEND };
        compare(&|| make(&operation, &input()), &feed, steps)?;
    }

    #[test]
    fn event_time_sort(steps in steps(), drops_late: bool) {
        let order = SortColumn { column: 1, descending: true, nulls_first: false };
        let operation = Operation::EventTimeSort {
            column: 2,
            complete_after: Some(3),
            then: if drops_late { vec![order] } else { vec![] },
            drops_late,
        };
        compare(&|| make(&operation, &input()), &Feed { keys: &[], ..Feed::APPEND }, steps)?;
    }

    #[test]
    fn session_assign(steps in steps()) {
        let operation = Operation::SessionAssign { gap: 5, time: 2, keys: vec![0] };
        let output = schema(&["k", "v", "t", "w1", "w2", "w3"]);
        let feed = Feed { behind: true, ..Feed::APPEND };
        compare(&|| make(&operation, &output), &feed, steps)?;
    }
}
