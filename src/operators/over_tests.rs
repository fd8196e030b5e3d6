//! OVER in any order: results are those of all rows in order, computed from scratch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::functions_aggregate::{count, sum};
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use proptest::prelude::*;

use super::over::OverAggregate;
use super::testing::*;
use super::updating_over::UpdatingOver;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::graph::*;
use crate::state::StateTtl;

fn input() -> SchemaRef {
    schema(&["k", "v", "t"])
}

fn call(name: &str, distinct: bool, filtered: bool) -> OverFunction {
    let own = flowline_udfs::aggregate_functions();
    let function: Arc<AggregateUDF> = match name {
        "count" => count::count_udaf(),
        // That of DataFusion goes through its accumulators.
        "sum by accumulator" => sum::sum_udaf(),
        _ => own.into_iter().find(|f| f.name() == name).unwrap(),
    };
    let function = AggregateExprBuilder::new(function, vec![Arc::new(Column::new("v", 1))])
        .schema(input())
        .alias("c")
        .build()
        .unwrap();
    OverFunction::Aggregate(AggregateCall {
        function: Arc::new(function),
        filter: filtered.then(|| less_than(1, 0)),
        distinct,
    })
}

fn lag(offset: usize, default: Option<i64>) -> OverFunction {
    OverFunction::Lag {
        value: Arc::new(Column::new("v", 1)),
        offset,
        default: default.map(lit),
    }
}

/// All kinds of calls that may stand over a frame.
fn calls(frame: Frame, ranks: bool) -> Vec<OverFunction> {
    let mut calls = vec![
        call("sum", false, false),
        call("sum by accumulator", false, true),
        call("avg", false, true),
        call("count", false, false),
        call("count", true, false),
        call("count", true, true),
        call("sum", true, false),
        call("min", false, false),
        call("max", true, true),
        call("first_value", false, true),
        call("last_value", false, false),
    ];
    if matches!(frame, Frame::RowsUnbounded | Frame::RangeUnbounded) {
        calls.extend([lag(0, None), lag(1, Some(-7)), lag(3, None)]);
    }
    if ranks {
        calls.extend(
            [
                RankFunction::RowNumber,
                RankFunction::Rank,
                RankFunction::DenseRank,
            ]
            .map(OverFunction::Rank),
        );
    }
    calls
}

fn plan(time: OverTime, frame: Frame, calls: Vec<OverFunction>) -> Arc<Over> {
    Arc::new(Over {
        partition: vec![0],
        time,
        frame,
        calls,
        ttl: None,
    })
}

fn output(over: &Over) -> SchemaRef {
    let mut fields = input().fields().to_vec();
    let result = |i: usize| Arc::new(Field::new(format!("c{i}"), DataType::Int64, true));
    fields.extend((0..over.calls.len()).map(result));
    Arc::new(Schema::new(fields))
}

fn value(call: &AggregateCall, frame: &[&Numbers]) -> Option<i64> {
    let counts = |row: &&&Numbers| call.filter.is_none() || row[1].is_some() && row[1] < row[0];
    let mut values: Vec<Option<i64>> = frame.iter().filter(counts).map(|row| row[1]).collect();
    if call.distinct {
        let all = std::mem::take(&mut values);
        for value in all {
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }
    let column: ArrayRef = Arc::new(Int64Array::from(values));
    let mut one = call.function.create_accumulator().unwrap();
    one.update_batch(&[column]).unwrap();
    let result = one.evaluate().unwrap().to_array().unwrap();
    let result = result.as_primitive::<Int64Type>();
    result.is_valid(0).then(|| result.value(0))
}

/// The rows with their results, of all rows in order of arrival; `by`: the column they are ordered by.
fn from_scratch(over: &Over, rows: &[Numbers], by: usize) -> Folded {
    let mut result = Folded::new();
    let mut keys: Vec<Option<i64>> = rows.iter().map(|row| row[0]).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let mut rows: Vec<&Numbers> = rows.iter().filter(|row| row[0] == key).collect();
        rows.sort_by_key(|row| row[by]);
        let place = |value: &Option<i64>| rows.partition_point(|row| row[by] < *value);
        let mut dense = 0;
        for (i, row) in rows.iter().enumerate() {
            let first = place(&row[by]);
            dense += i64::from(first == i);
            let peers = rows.iter().filter(|other| other[by] == row[by]).count();
            let by_peers = matches!(over.frame, Frame::RangeUnbounded | Frame::Range(_));
            let last = if by_peers { first + peers } else { i + 1 };
            let start = match over.frame {
                Frame::Rows(n) => i.saturating_sub(n as usize),
                Frame::Range(millis) => place(&row[by].map(|t| t - millis)),
                _ => 0,
            };
            let mut shown = (*row).clone();
            for call in &over.calls {
                shown.push(match call {
                    OverFunction::Aggregate(call) => value(call, &rows[start..last]),
                    OverFunction::Lag { offset, .. } => match last.checked_sub(offset + 1) {
                        Some(at) => rows[at][1],
                        None => (*offset == 1).then_some(-7),
                    },
                    OverFunction::Rank(RankFunction::RowNumber) => Some(i as i64 + 1),
                    OverFunction::Rank(RankFunction::Rank) => Some(first as i64 + 1),
                    OverFunction::Rank(RankFunction::DenseRank) => Some(dense),
                });
            }
            *result.entry(shown).or_default() += 1;
        }
    }
    result
}

type Row = (Option<i64>, Option<i64>, i64, bool, Option<usize>);

/// Key, value, time, whether an existing row is retracted instead, and whether the job restarts afterwards.
fn some_rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    let row = (
        proptest::option::weighted(0.9, 0i64..3),
        proptest::option::weighted(0.8, 0i64..5),
        0i64..12,
        proptest::bool::weighted(0.3),
        proptest::option::weighted(0.05, 1usize..4),
    );
    proptest::collection::vec(row, 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn by_time(rows in some_rows(60), frame in 0usize..4, size in 1usize..20, millis in 0i64..9) {
        let frame = [Frame::RowsUnbounded, Frame::Rows(millis as u64 / 3), Frame::RangeUnbounded, Frame::Range(millis)][frame];
        let calls = calls(frame, frame == Frame::RowsUnbounded);
        let over = plan(OverTime::Event(2), frame, calls);
        let make = || OverAggregate::new(&over, &input(), &output(&over), Arc::default()).unwrap();
        let (mut instances, mut folded) = (Instances::new(2, make), Folded::new());
        let (mut all, mut now) = (Vec::new(), 0);
        for rows in rows.chunks(size) {
            let numbers: Vec<Numbers> = rows.iter().map(|(k, v, t, ..)| vec![*k, *v, Some(now + 1 + t)]).collect();
            let batch = Batch::append(record_batch(&input(), &numbers));
            instances.on_batch(0, &batch, &[0], &mut folded);
            all.extend(numbers);
            if let Some(parallelism) = rows[0].4 {
                instances.rescale(parallelism, make);
                instances.on_watermark(now, &mut folded);
            }
            now += rows[0].2;
            instances.on_watermark(now, &mut folded);
        }
        instances.on_watermark(i64::MAX, &mut folded);
        prop_assert_eq!(folded, from_scratch(&over, &all, 2));
    }

    #[test]
    fn by_any_column(rows in some_rows(60), by_rows: bool, size in 1usize..20, small: bool) {
        let frame = if by_rows { Frame::RowsUnbounded } else { Frame::RangeUnbounded };
        let mut calls = calls(frame, by_rows);
        if !by_rows {
            calls.retain(|call| !matches!(call, OverFunction::Lag { .. }));
        }
        if small {
            // What they know of a partition has a few bytes.
            let is_small = |call: &OverFunction| match call {
                OverFunction::Aggregate(call) => !call.distinct,
                _ => true,
            };
            calls.retain(is_small);
        }
        changes_add_up(&rows, size, frame, calls)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// In partitions of hundreds of rows it is gone on from marks.
    #[test]
    fn in_large_partitions(rows in some_rows(900), by_rows: bool, size in 1usize..40) {
        let frame = if by_rows { Frame::RowsUnbounded } else { Frame::RangeUnbounded };
        let mut calls = vec![call("sum", false, false), call("max", false, true), call("last_value", false, false)];
        if by_rows {
            calls.extend([lag(2, None), OverFunction::Rank(RankFunction::DenseRank)]);
        }
        changes_add_up(&rows, size, frame, calls)?;
    }
}

/// Rows in the order of their times, which come and go in any order.
fn changes_add_up(
    rows: &[Row],
    size: usize,
    frame: Frame,
    calls: Vec<OverFunction>,
) -> Result<(), TestCaseError> {
    let order = SortColumn {
        column: 2,
        descending: false,
        nulls_first: true,
    };
    let over = plan(OverTime::Updating(vec![order]), frame, calls);
    let make = || UpdatingOver::new(&over, &input(), &output(&over)).unwrap();
    let (mut instances, mut folded) = (Instances::new(1, make), Folded::new());
    let mut there: Vec<Numbers> = Vec::new();
    let is_large = rows.len() > 60;
    let mut checked = 0;
    for rows in rows.chunks(size) {
        let (mut numbers, mut weights) = (Vec::new(), Vec::new());
        for (k, v, t, goes, _) in rows {
            let t = if is_large {
                t * 31 % 97 + v.unwrap_or(0)
            } else {
                *t
            };
            let k = if is_large { k.map(|_| 0) } else { *k };
            let row: Numbers = vec![k, *v, Some(t)];
            match there.iter().position(|other| *other == row) {
                Some(first) if *goes => {
                    there.remove(first);
                    weights.push(-1);
                }
                // Nothing like it is there.
                None if *goes => weights.push(-1),
                _ => {
                    there.push(row.clone());
                    weights.push(1);
                }
            }
            numbers.push(row);
        }
        let batch = weighted(Batch::append(record_batch(&input(), &numbers)), &weights);
        instances.on_batch(0, &batch, &[0], &mut folded);
        if let Some(parallelism) = rows[0].4 {
            instances.rescale(parallelism, make);
        }
        checked += 1;
        if !is_large || checked % 8 == 0 {
            prop_assert_eq!(&folded, &from_scratch(&over, &there, 2));
        }
    }
    prop_assert_eq!(&folded, &from_scratch(&over, &there, 2));
    Ok(())
}

#[test]
fn a_change_is_computed_from_the_row_on_that_it_changes() {
    let calls = vec![call("sum", false, false), lag(1, None)];
    let order = SortColumn {
        column: 2,
        descending: false,
        nulls_first: true,
    };
    let over = plan(OverTime::Updating(vec![order]), Frame::RowsUnbounded, calls);
    let mut op = UpdatingOver::new(&over, &input(), &output(&over)).unwrap();
    let all: Vec<[i64; 3]> = (0..5000).map(|i| [1, 1, i * 2]).collect();
    feed(&mut op, 0, rows(&input(), &all));
    let last = feed(&mut op, 0, rows(&input(), &[[1, 5, 9_997]]));
    let moved = [
        (vec![1, 1, 9998, 5000, 1], -1),
        (vec![1, 5, 9997, 5004, 1], 1),
        (vec![1, 1, 9998, 5005, 5], 1),
    ];
    assert_eq!(last, moved);
    assert!(op.computed() < 300, "{}", op.computed());
    for i in 0..1000 {
        feed(&mut op, 0, rows(&input(), &[[1, 0, 10_000 + i]]));
        assert!(op.computed() < 4);
    }
    let marks = op.marks();
    assert!((30..80).contains(&marks), "{marks}");
    let gone = weighted(rows(&input(), &[[1, 1, 4]]), &[-1]);
    assert_eq!(feed(&mut op, 0, gone).len(), 1 + 2 * 5998);
}

#[test]
fn a_partition_that_expires_takes_all_it_has_along() {
    let frames = [Frame::RowsUnbounded, Frame::Rows(3), Frame::Range(100)];
    for frame in frames {
        let mut over = plan(OverTime::Event(2), frame, calls(frame, false))
            .as_ref()
            .clone();
        over.ttl = Some(StateTtl {
            after: 10,
            by_event_time: true,
        });
        let over = Arc::new(over);
        let make = || OverAggregate::new(&over, &input(), &output(&over), Arc::default()).unwrap();
        let mut op = make();
        advance(&mut op, 0);
        feed(
            &mut op,
            0,
            rows(&input(), &[[1, 3, 5], [1, 4, 5], [2, 4, 6]]),
        );
        advance(&mut op, 6);
        feed(&mut op, 0, rows(&input(), &[[2, 1, 7]]));
        advance(&mut op, 9);
        let mut other = make();
        other.restore(taken(&mut op)).unwrap();
        for op in [&mut op, &mut other] {
            advance(op, 9);
            advance(op, 12);
            feed(op, 0, rows(&input(), &[[1, 9, 13], [2, 9, 13]]));
            let fresh = advance(op, 13);
            assert_eq!(fresh[0].0[3], 9, "the first of its partition again");
            assert_eq!(fresh[1].0[3], 14);
            let mut out = Output::default();
            op.on_clock(i64::MAX, &mut out).unwrap();
            advance(op, 1000);
            let kept: usize = taken(op).iter().map(|p| p.rows.num_rows()).sum();
            assert_eq!(kept, 0);
        }
    }
}

#[test]
fn what_goes_is_what_came_where_arguments_have_other_values_each_time() {
    let mut all = flowline_udfs::scalar_functions().into_iter();
    let random = all.find(|f| f.name() == "rand_integer").unwrap();
    let config = Arc::new(datafusion::config::ConfigOptions::default());
    let random = ScalarFunctionExpr::try_new(random, vec![lit(1_000_000_000)], &input(), config);
    let random: Arc<dyn PhysicalExpr> = Arc::new(random.unwrap());
    let calls = vec![OverFunction::Lag {
        value: Arc::clone(&random),
        offset: 1,
        default: Some(random),
    }];
    let order = SortColumn {
        column: 2,
        descending: false,
        nulls_first: true,
    };
    let over = plan(OverTime::Updating(vec![order]), Frame::RowsUnbounded, calls);
    let mut schema = output(&over).fields().to_vec();
    schema[3] = Arc::new(Field::new("c0", DataType::Int32, true));
    let schema = Arc::new(Schema::new(schema));
    let make = || UpdatingOver::new(&over, &input(), &schema).unwrap();
    let (mut instances, mut folded) = (Instances::new(1, make), Folded::new());
    for times in [[1, 9], [5, 7], [0, 6]] {
        let batch = rows(&input(), &times.map(|t| [1, 0, t]));
        instances.on_batch(0, &batch, &[0], &mut folded);
        instances.rescale(1, make);
    }
    let weights: Vec<i64> = folded.values().copied().collect();
    assert_eq!(weights, [1; 6], "{folded:?}");
}
