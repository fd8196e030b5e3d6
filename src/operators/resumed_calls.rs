//! [`super::resumed`] for operators with calls of aggregate functions: aggregations and OVER.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::functions_aggregate::{count, first_last, min_max, sum};
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::Column;
use proptest::prelude::*;

use super::aggregator::Aggregator;
use super::resumed::*;
use super::testing::*;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::*;
use crate::state::{StatePart, StateTtl, TableSnapshot};
use crate::time::Watermark;

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
}
