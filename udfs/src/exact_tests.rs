//! SUM and AVG: types, NULL rules, partial results, taking back, and a check against plain addition.

use datafusion::arrow::array::{
    Decimal128Array, Float32Array, Float64Array, Int8Array, Int32Array,
};
use datafusion::arrow::datatypes::Schema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::*;

/// Calls `f` with the arguments of an accumulator for a column of the type.
fn with_args<T>(
    which: Which,
    input: &DataType,
    is_distinct: bool,
    f: impl FnOnce(&Exact, AccumulatorArgs, Vec<DataType>) -> T,
) -> T {
    let udf = Exact::new(which);
    let field = Arc::new(Field::new("a", input.clone(), true));
    let schema = Schema::new(vec![Arc::clone(&field)]);
    let output = udf.return_type(std::slice::from_ref(input)).unwrap();
    let return_field = Arc::new(Field::new("r", output, true));
    let exprs: Vec<Arc<dyn PhysicalExpr>> = vec![Arc::new(Column::new("a", 0))];
    let states = udf
        .state_fields(StateFieldsArgs {
            name: "r",
            input_fields: &[Arc::clone(&field)],
            return_field: Arc::clone(&return_field),
            ordering_fields: &[],
            is_distinct,
        })
        .unwrap();
    let args = AccumulatorArgs {
        return_field,
        schema: &schema,
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: "r",
        is_distinct,
        exprs: &exprs,
        expr_fields: &[field],
    };
    let types = states.iter().map(|f| f.data_type().clone()).collect();
    f(&udf, args, types)
}

fn rows(which: Which, input: &DataType, distinct: bool) -> Box<dyn Accumulator> {
    with_args(which, input, distinct, |udf, args, _| {
        udf.accumulator(args).unwrap()
    })
}

fn groups(which: Which, input: &DataType) -> Box<dyn GroupsAccumulator> {
    with_args(which, input, false, |udf, args, _| {
        udf.create_groups_accumulator(args).unwrap()
    })
}

fn state_types(which: Which, input: &DataType, distinct: bool) -> Vec<DataType> {
    with_args(which, input, distinct, |_, _, types| types)
}

fn decimals(values: Vec<Option<i128>>, precision: u8, scale: i8) -> ArrayRef {
    let array = Decimal128Array::from(values);
    Arc::new(array.with_data_type(DataType::Decimal128(precision, scale)))
}

/// The result by rows, which must be that by groups, that by way of partial results, and that after taking back.
fn result(which: Which, values: &ArrayRef) -> ScalarValue {
    let input = values.data_type();
    let mut by_rows = rows(which, input, false);
    by_rows.update_batch(std::slice::from_ref(values)).unwrap();
    let expected = by_rows.evaluate().unwrap();

    by_rows.update_batch(std::slice::from_ref(values)).unwrap();
    by_rows.retract_batch(std::slice::from_ref(values)).unwrap();
    assert_eq!(by_rows.evaluate().unwrap(), expected, "taken back");

    let indices = vec![1; values.len()];
    let mut first = groups(which, input);
    first
        .update_batch(std::slice::from_ref(values), &indices, None, 3)
        .unwrap();
    let partial = first.state(EmitTo::All).unwrap();
    let types: Vec<DataType> = partial.iter().map(|a| a.data_type().clone()).collect();
    assert_eq!(types, state_types(which, input, false));
    let mut second = groups(which, input);
    second.merge_batch(&partial, &[0, 1, 2], 3).unwrap();
    let converted = second
        .convert_to_state(std::slice::from_ref(values), None)
        .unwrap();
    let mut third = groups(which, input);
    third.merge_batch(&converted, &indices, 3).unwrap();
    for groups in [&mut second, &mut third] {
        let all = groups.evaluate(EmitTo::All).unwrap();
        assert!(all.is_null(0) && all.is_null(2));
        assert_eq!(ScalarValue::try_from_array(&all, 1).unwrap(), expected);
    }

    let mut merged = rows(which, input, false);
    merged.merge_batch(&partial).unwrap();
    assert_eq!(merged.evaluate().unwrap(), expected, "merged");
    expected
}

#[test]
fn results() {
    use Which::{Avg, Sum};
    let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(-7), None, Some(2), Some(-2)]));
    let longs: ArrayRef = Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(1), Some(-3)]));
    let bytes: ArrayRef = Arc::new(Int8Array::from(vec![100, 27]));
    let singles: ArrayRef = Arc::new(Float32Array::from(vec![1.5, 2.25]));
    let doubles: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None, Some(2.0)]));
    let none: ArrayRef = Arc::new(Int32Array::from(vec![None, None]));
    let table = [
        (Sum, ints.clone(), ScalarValue::Int32(Some(-7))),
        (Avg, ints, ScalarValue::Int32(Some(-2))),
        (Sum, longs.clone(), ScalarValue::Int64(Some(i64::MAX - 2))),
        (Avg, longs, ScalarValue::Int64(Some((i64::MAX - 2) / 3))),
        (Sum, bytes.clone(), ScalarValue::Int8(Some(127))),
        (Avg, bytes, ScalarValue::Int8(Some(63))),
        (Sum, singles.clone(), ScalarValue::Float32(Some(3.75))),
        (Avg, singles, ScalarValue::Float32(Some(1.875))),
        (Sum, doubles.clone(), ScalarValue::Float64(Some(3.5))),
        (Avg, doubles, ScalarValue::Float64(Some(1.75))),
        (Sum, none.clone(), ScalarValue::Int32(None)),
        (Avg, none, ScalarValue::Int32(None)),
        (
            Sum,
            decimals(vec![Some(150), None, Some(25)], 10, 2),
            ScalarValue::Decimal128(Some(175), 38, 2),
        ),
        (
            Avg,
            decimals(vec![Some(100), Some(100), Some(200)], 10, 2),
            ScalarValue::Decimal128(Some(1_333_333), 38, 6),
        ),
        (
            Avg,
            decimals(vec![Some(1), Some(2)], 38, 18),
            ScalarValue::Decimal128(Some(2), 38, 18),
        ),
    ];
    for (which, values, expected) in table {
        assert_eq!(result(which, &values), expected, "{which} {values:?}");
    }
}

#[test]
fn whole_numbers_wrap() {
    let bytes: ArrayRef = Arc::new(Int8Array::from(vec![1, 127, 127, 127, -128, -128, 3]));
    let ints: ArrayRef = Arc::new(Int32Array::from(vec![
        Some(1),
        Some(i32::MAX),
        Some(i32::MAX),
        Some(i32::MAX),
        Some(i32::MIN),
        Some(i32::MIN),
        None,
        Some(3),
    ]));
    let longs: ArrayRef = Arc::new(Int64Array::from(vec![
        1,
        i64::MAX,
        i64::MAX,
        i64::MAX,
        i64::MIN,
        i64::MIN,
        3,
    ]));
    let pair: ArrayRef = Arc::new(Int8Array::from(vec![1, 127]));
    let table = [
        (Which::Sum, &bytes, ScalarValue::Int8(Some(-127))),
        (Which::Avg, &bytes, ScalarValue::Int8(Some(18))),
        (Which::Sum, &ints, ScalarValue::Int32(Some(-i32::MAX))),
        (Which::Avg, &ints, ScalarValue::Int32(Some(306_783_378))),
        (Which::Sum, &longs, ScalarValue::Int64(Some(-i64::MAX))),
        (
            Which::Avg,
            &longs,
            ScalarValue::Int64(Some(-1_317_624_576_693_539_401)),
        ),
        // Inside OVER, the sum has the argument's type.
        (Which::AvgOver, &pair, ScalarValue::Int8(Some(-64))),
        (Which::Avg, &pair, ScalarValue::Int8(Some(64))),
    ];
    for (which, values, expected) in table {
        assert_eq!(result(which, values), expected, "{which:?} {values:?}");
    }
}

#[test]
fn decimals_that_do_not_fit_are_null() {
    let most = 10_i128.pow(38) - 1;
    let null = |scale| ScalarValue::Decimal128(None, 38, scale);
    let two = decimals(vec![Some(most), Some(most)], 38, 0);
    assert_eq!(result(Which::Sum, &two), null(0));
    assert_eq!(result(Which::Avg, &two), null(6));
    let one = decimals(vec![Some(most)], 38, 0);
    assert_eq!(result(Which::Avg, &one), null(6));
    // Far out of range, and back.
    let back = decimals(
        vec![Some(most), Some(most), Some(-most), Some(-most), Some(7)],
        38,
        0,
    );
    let seven = ScalarValue::Decimal128(Some(7), 38, 0);
    assert_eq!(result(Which::Sum, &back), seven);
}

#[test]
fn overflow_of_the_checked_sum_is_an_error() {
    let table: [(ArrayRef, &str); 5] = [
        (
            Arc::new(Int32Array::from(vec![i32::MAX, 1])),
            "SUM overflows INT: the result 2147483648",
        ),
        (
            Arc::new(Int64Array::from(vec![i64::MAX, 1])),
            "SUM overflows BIGINT",
        ),
        (
            Arc::new(Int8Array::from(vec![100, 28])),
            "SUM overflows TINYINT",
        ),
        (
            decimals(vec![Some(10_i128.pow(38) - 1), Some(1)], 38, 0),
            "SUM overflows DECIMAL(38, 0)",
        ),
        (
            decimals(vec![Some(10_i128.pow(38) - 1); 2], 38, 0),
            "SUM overflows DECIMAL(38, 0)",
        ),
    ];
    for (values, expected) in table {
        let mut by_rows = rows(Which::CheckedSum, values.data_type(), false);
        by_rows.update_batch(std::slice::from_ref(&values)).unwrap();
        let message = by_rows.evaluate().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    // Far out of range, and back.
    let values: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX, -i64::MAX]));
    assert_eq!(
        result(Which::CheckedSum, &values),
        ScalarValue::Int64(Some(i64::MAX))
    );
}

#[test]
fn filters_groups_and_parts() {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![
        Some(1),
        Some(2),
        None,
        Some(4),
        Some(8),
    ]));
    let filter = BooleanArray::from(vec![Some(true), Some(false), Some(true), None, Some(true)]);
    let mut sums = groups(Which::Sum, &DataType::Int64);
    let indices = [0, 0, 1, 1, 2];
    sums.update_batch(std::slice::from_ref(&values), &indices, Some(&filter), 3)
        .unwrap();
    sums.update_batch(std::slice::from_ref(&values), &indices, None, 3)
        .unwrap();
    let first = sums.evaluate(EmitTo::First(1)).unwrap();
    assert_eq!(
        first.as_any().downcast_ref::<Int64Array>(),
        Some(&Int64Array::from(vec![4]))
    );
    let rest = sums.evaluate(EmitTo::All).unwrap();
    assert_eq!(
        rest.as_any().downcast_ref::<Int64Array>(),
        Some(&Int64Array::from(vec![4, 16]))
    );

    let converted = sums
        .convert_to_state(std::slice::from_ref(&values), Some(&filter))
        .unwrap();
    let counts = converted[1].as_any().downcast_ref::<Int64Array>();
    assert_eq!(counts, Some(&Int64Array::from(vec![1, 0, 0, 0, 1])));
}

#[test]
fn taking_all_back_is_null() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![0.1, 0.2]));
    let mut sum = rows(Which::Sum, &DataType::Float64, false);
    sum.update_batch(std::slice::from_ref(&values)).unwrap();
    sum.retract_batch(std::slice::from_ref(&values)).unwrap();
    assert_eq!(sum.evaluate().unwrap(), ScalarValue::Float64(None));
}

#[test]
fn distinct_values() {
    let batch = |values: Vec<Option<i32>>| Arc::new(Int32Array::from(values)) as ArrayRef;
    let mut sum = rows(Which::Sum, &DataType::Int32, true);
    sum.update_batch(&[batch(vec![Some(1), Some(1), None, Some(5)])])
        .unwrap();
    assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int32(Some(6)));
    sum.retract_batch(&[batch(vec![Some(1), Some(5)])]).unwrap();
    assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int32(Some(1)));

    let state = sum.state().unwrap();
    let types: Vec<DataType> = state.iter().map(ScalarValue::data_type).collect();
    assert_eq!(types, state_types(Which::Sum, &DataType::Int32, true));
    let state: Vec<ArrayRef> = state.iter().map(|s| s.to_array().unwrap()).collect();
    let mut merged = rows(Which::Sum, &DataType::Int32, true);
    merged
        .update_batch(&[batch(vec![Some(1), Some(2)])])
        .unwrap();
    merged.merge_batch(&state).unwrap();
    assert_eq!(merged.evaluate().unwrap(), ScalarValue::Int32(Some(3)));
    merged.retract_batch(&[batch(vec![Some(1)])]).unwrap();
    assert_eq!(merged.evaluate().unwrap(), ScalarValue::Int32(Some(3)));

    let values = decimals(vec![Some(100), Some(100), Some(200)], 10, 2);
    let mut avg = rows(Which::Avg, values.data_type(), true);
    avg.update_batch(&[values]).unwrap();
    assert_eq!(
        avg.evaluate().unwrap(),
        ScalarValue::Decimal128(Some(1_500_000), 38, 6)
    );
}

#[test]
fn as_plain_addition() {
    // A fixed sequence that looks random.
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let mut sums = groups(Which::Sum, &DataType::Int32);
    let mut expected = [None::<i32>; 7];
    for _ in 0..50 {
        let (mut values, mut indices) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            let group = (next() % 7) as usize;
            let value = (next() % 3 > 0).then(|| (next() % 2001) as i32 - 1000);
            if let Some(value) = value {
                expected[group] = Some(expected[group].unwrap_or(0) + value);
            }
            values.push(value);
            indices.push(group);
        }
        let values: ArrayRef = Arc::new(Int32Array::from(values));
        sums.update_batch(&[values], &indices, None, 7).unwrap();
    }
    let result = sums.evaluate(EmitTo::All).unwrap();
    assert_eq!(
        result.as_any().downcast_ref::<Int32Array>(),
        Some(&Int32Array::from(expected.to_vec()))
    );
}
