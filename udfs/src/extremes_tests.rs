//! MIN and MAX of FLOAT and DOUBLE, as recorded from Flink, whichever way the rows come together; and of the other types.

use datafusion::arrow::array::{Float32Array, Float64Array};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::*;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn udf(end: End) -> Arc<AggregateUDF> {
    let all = functions();
    Arc::clone(&all[usize::from(end == End::Max)])
}

fn with_args<T>(udf: &AggregateUDF, input: &DataType, f: impl FnOnce(AccumulatorArgs) -> T) -> T {
    let field = Arc::new(Field::new("a", input.clone(), true));
    let schema = Schema::new(vec![Arc::clone(&field)]);
    let exprs: Vec<Arc<dyn PhysicalExpr>> = vec![Arc::new(Column::new("a", 0))];
    f(AccumulatorArgs {
        return_field: Arc::new(Field::new(
            "r",
            udf.return_type(std::slice::from_ref(input)).unwrap(),
            true,
        )),
        schema: &schema,
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: "r",
        is_distinct: false,
        exprs: &exprs,
        expr_fields: &[field],
    })
}

fn groups(end: End, input: &DataType) -> Box<dyn GroupsAccumulator> {
    let udf = udf(end);
    with_args(&udf, input, |args| {
        assert!(udf.groups_accumulator_supported(args.clone()));
        udf.create_groups_accumulator(args).unwrap()
    })
}

/// The result in one go, which must be that of every way to cut the rows in two.
fn result(end: End, values: &ArrayRef) -> ScalarValue {
    let udf = udf(end);
    let input = values.data_type();
    let one = || with_args(&udf, input, |args| udf.accumulator(args).unwrap());
    let mut whole = one();
    whole.update_batch(&[Arc::clone(values)]).unwrap();
    let expected = whole.evaluate().unwrap();
    for cut in 0..=values.len() {
        let parts = [values.slice(0, cut), values.slice(cut, values.len() - cut)];
        let mut merged = groups(end, input);
        let mut rows = one();
        for part in &parts {
            let indices = vec![1; part.len()];
            let mut first = groups(end, input);
            first
                .update_batch(&[Arc::clone(part)], &indices, None, 3)
                .unwrap();
            let state = first.state(EmitTo::All).unwrap();
            merged.merge_batch(&state, &[0, 1, 2], 3).unwrap();
            rows.merge_batch(&state).unwrap();
        }
        let all = merged.evaluate(EmitTo::All).unwrap();
        assert!(all.is_null(0) && all.is_null(2));
        same(&ScalarValue::try_from_array(&all, 1).unwrap(), &expected);
        same(&rows.evaluate().unwrap(), &expected);
        let mut converted = groups(end, input);
        for part in &parts {
            let state = converted
                .convert_to_state(&[Arc::clone(part)], None)
                .unwrap();
            converted
                .merge_batch(&state, &vec![0; part.len()], 1)
                .unwrap();
        }
        let all = converted.evaluate(EmitTo::All).unwrap();
        same(&ScalarValue::try_from_array(&all, 0).unwrap(), &expected);
    }
    expected
}

/// Equal to the sign of zero.
fn same(given: &ScalarValue, expected: &ScalarValue) {
    assert_eq!(format!("{given:?}"), format!("{expected:?}"));
}

fn sliding(end: End, values: &[Option<f64>]) -> Vec<ScalarValue> {
    let udf = udf(end);
    let column = |v: Option<f64>| Arc::new(Float64Array::from(vec![v])) as ArrayRef;
    let mut accumulator = with_args(&udf, &DataType::Float64, |args| {
        udf.create_sliding_accumulator(args).unwrap()
    });
    assert!(accumulator.supports_retract_batch());
    let mut results = Vec::new();
    for (row, value) in values.iter().enumerate() {
        accumulator.update_batch(&[column(*value)]).unwrap();
        if row > 1 {
            accumulator
                .retract_batch(&[column(values[row - 2])])
                .unwrap();
        }
        results.push(accumulator.evaluate().unwrap());
    }
    results
}

#[test]
fn as_flink() {
    type Row<'a> = (&'a [Option<f64>], Option<f64>, Option<f64>);
    let table: &[Row] = &[
        (&[Some(INF), Some(INF)], Some(INF), Some(INF)),
        (&[Some(-INF)], Some(-INF), Some(-INF)),
        (&[Some(INF), Some(-INF), None], Some(-INF), Some(INF)),
        (&[Some(NAN), Some(NAN)], Some(NAN), Some(NAN)),
        (&[Some(NAN), Some(1.0)], Some(NAN), Some(NAN)),
        (&[Some(1.0), Some(NAN)], Some(1.0), Some(1.0)),
        (&[Some(0.0), Some(-0.0)], Some(0.0), Some(0.0)),
        (&[Some(-0.0), Some(0.0)], Some(-0.0), Some(-0.0)),
        (&[Some(NAN), Some(INF)], Some(NAN), Some(NAN)),
        (&[Some(INF), Some(NAN)], Some(INF), Some(INF)),
        (&[Some(NAN), Some(-INF)], Some(NAN), Some(NAN)),
        (&[None], None, None),
        (&[None, Some(NAN), None], Some(NAN), Some(NAN)),
        (
            &[Some(1.0), Some(NAN), Some(2.0), Some(NAN), Some(0.5)],
            Some(0.5),
            Some(2.0),
        ),
    ];
    for (values, min, max) in table {
        let doubles: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        let floats: Float32Array = values.iter().map(|v| v.map(|v| v as f32)).collect();
        let floats: ArrayRef = Arc::new(floats);
        for (end, expected) in [(End::Min, min), (End::Max, max)] {
            same(&result(end, &doubles), &ScalarValue::Float64(*expected));
            let expected = expected.map(|v| v as f32);
            same(&result(end, &floats), &ScalarValue::Float32(expected));
        }
    }
}

#[test]
fn leaving_values() {
    // ROWS BETWEEN 1 PRECEDING AND CURRENT ROW.
    let values = [
        Some(1.0),
        Some(NAN),
        Some(2.0),
        Some(-0.0),
        Some(0.0),
        None,
        None,
    ];
    let some = |values: &[f64]| {
        values
            .iter()
            .map(|v| ScalarValue::Float64(Some(*v)))
            .collect::<Vec<_>>()
    };
    let none = ScalarValue::Float64(None);
    let expected = [
        (End::Min, some(&[1.0, 1.0, 2.0, -0.0, -0.0, 0.0])),
        (End::Max, some(&[1.0, NAN, NAN, 2.0, 0.0, 0.0])),
    ];
    for (end, mut expected) in expected {
        expected.push(none.clone());
        for (given, expected) in sliding(end, &values).iter().zip(&expected) {
            same(given, expected);
        }
    }
}

#[test]
fn other_types() {
    let min = udf(End::Min);
    for refused in [
        DataType::Binary,
        crate::aggregate::list_of(&DataType::Int32),
        DataType::Struct(vec![Field::new("x", DataType::Int32, true)].into()),
    ] {
        assert!(min.coerce_types(&[refused]).is_err());
    }
    for taken in [
        DataType::Utf8,
        DataType::Boolean,
        DataType::Date32,
        DataType::Decimal128(10, 2),
        DataType::Int8,
        crate::function::MILLIS,
    ] {
        let given = min.coerce_types(std::slice::from_ref(&taken)).unwrap();
        assert_eq!(given, std::slice::from_ref(&taken));
        with_args(&min, &taken, |args| {
            let mut accumulator = min.accumulator(args).unwrap();
            assert!(accumulator.evaluate().unwrap().is_null());
        });
    }
    // Bytes of UTF-8 are what is compared.
    let texts = vec!["b", "B", "", "\u{1F600}", "\u{FFFD}"];
    let texts: ArrayRef = Arc::new(datafusion::arrow::array::StringArray::from(texts));
    let mut most = groups(End::Max, &DataType::Utf8);
    most.update_batch(&[texts], &[0; 5], None, 1).unwrap();
    let most = most.evaluate(EmitTo::All).unwrap();
    assert_eq!(most.as_string::<i32>().value(0), "\u{1F600}");
}
