use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, new_empty_array,
};
use datafusion::arrow::compute::{cast, concat, filter};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::Column;

use super::*;
use crate::frames::{Before, Segment, Step};
use crate::{aggregate_functions, over_variant};

fn expression(function: &Arc<AggregateUDF>, input: &DataType) -> AggregateFunctionExpr {
    let schema = Schema::new(vec![Field::new("v", input.clone(), true)]);
    AggregateExprBuilder::new(Arc::clone(function), vec![Arc::new(Column::new("v", 0))])
        .schema(Arc::new(schema))
        .alias("c")
        .build()
        .unwrap()
}

fn columns() -> Vec<ArrayRef> {
    let nan = f64::NAN;
    let doubles = [
        Some(0.1),
        None,
        Some(1e300),
        Some(f64::INFINITY),
        Some(-0.0),
        Some(0.0),
        Some(nan),
        Some(-1e300),
        Some(f64::NEG_INFINITY),
        Some(0.3),
        None,
        Some(7.5),
    ];
    let doubles: ArrayRef = Arc::new(Float64Array::from(doubles.to_vec()));
    let whole: ArrayRef = Arc::new(Int32Array::from_iter(
        (0..12).map(|i| (i % 5 != 1).then(|| i32::MAX - i * 7 % 5)),
    ));
    let decimal = |digits| -> ArrayRef {
        let largest = 10i128.pow(u32::from(digits)) - 1;
        let values = (0..12).map(|i| (i % 4 != 2).then(|| largest - i * 31 % 7));
        let column = Decimal128Array::from_iter(values);
        Arc::new(column.with_precision_and_scale(digits, 3).unwrap())
    };
    let types = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int64,
        DataType::Float32,
    ];
    let small = cast(&Int32Array::from_iter_values(0..12), &DataType::Int32).unwrap();
    let mut all: Vec<ArrayRef> = types.iter().map(|t| cast(&small, t).unwrap()).collect();
    all.extend([doubles, whole, decimal(10), decimal(38)]);
    all
}

/// Frames of so many rows, in segments that go on from each other; the mask says which rows count.
fn moves(rows: usize, size: usize) -> (Vec<Segment>, Vec<Step>) {
    let step = |i: usize| Step {
        leave: match i >= size {
            true => i - size..i - size + 1,
            false => 0..0,
        },
        enter: i..i + 1,
    };
    let half = rows / 2;
    let segment = |before, steps| Segment { before, steps };
    let segments = vec![
        segment(Before::Nothing, 0..half),
        segment(Before::Previous, half..rows),
    ];
    (segments, (0..rows).map(step).collect())
}

/// What an accumulator gives for the same; `None` where it fails.
fn by_accumulator(
    function: &AggregateFunctionExpr,
    values: &ArrayRef,
    mask: &BooleanArray,
    size: usize,
) -> Option<ArrayRef> {
    let slides = size < values.len();
    let mut one = match slides {
        true => function.create_sliding_accumulator().unwrap(),
        false => function.create_accumulator().unwrap(),
    };
    let row = |i| [filter(&values.slice(i, 1), &mask.slice(i, 1)).unwrap()];
    let results = (0..values.len()).map(|i| {
        if i >= size {
            one.retract_batch(&row(i - size)).unwrap();
        }
        one.update_batch(&row(i)).unwrap();
        one.evaluate().ok()
    });
    let results: Option<Vec<ScalarValue>> = results.collect();
    Some(ScalarValue::iter_to_array(results?).unwrap())
}

/// As text, because NaN is not equal to itself.
fn shown(column: &ArrayRef) -> String {
    format!("{column:?}")
}

#[test]
fn results_are_those_of_accumulators_wherever_the_rows_are_cut() {
    let mut functions: Vec<Arc<AggregateUDF>> = aggregate_functions();
    functions.retain(|f| matches!(f.name(), "sum" | "avg" | "min" | "max"));
    functions.push(over_variant("avg").unwrap());
    functions.push(crate::checked_sum());
    functions.push(count_udaf());
    let mut compared = 0;
    for values in columns() {
        let rows = values.len();
        let mask: BooleanArray = (0..rows).map(|i| (i != 3).then_some(i != 4)).collect();
        for function in &functions {
            for size in [1, 3, usize::MAX] {
                let plain = expression(function, values.data_type());
                let (result, input) = (plain.field(), [values.data_type().clone()]);
                let slides = size < rows;
                let native = frame_function(function, &input, result.data_type(), slides);
                let Some(native) = native else {
                    assert!(slides && matches!(function.name(), "min" | "max"));
                    continue;
                };
                let expected = by_accumulator(&plain, &values, &mask, size);
                let (segments, steps) = moves(rows, size);
                let moves = |segments| Moves {
                    segments,
                    steps: &steps,
                    leaves: Some(&mask),
                    enters: Some(&mask),
                };
                let values = [Arc::clone(&values)];
                let types = native.state_types();
                let none: Vec<ArrayRef> = types.iter().map(new_empty_array).collect();
                let Some(expected) = expected else {
                    assert!(native.run(&moves(&segments), &none, &values).is_err());
                    continue;
                };
                let (whole, states) = native.run(&moves(&segments), &none, &values).unwrap();
                assert_eq!(shown(&whole), shown(&expected), "{}", function.name());
                let (first, mut second) = (&segments[..1], segments[1].clone());
                second.before = Before::Stored(0);
                let (one, kept) = native.run(&moves(first), &none, &values).unwrap();
                let (two, _) = native.run(&moves(&[second]), &kept, &values).unwrap();
                let both = concat(&[one.as_ref(), two.as_ref()]).unwrap();
                assert_eq!(shown(&both), shown(&expected), "{}", function.name());
                let kept: Vec<&DataType> = states.iter().map(|s| s.data_type()).collect();
                assert_eq!(kept, types.iter().collect::<Vec<_>>());
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
}
