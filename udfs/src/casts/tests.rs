//! What no recorded value shows: names, equality, overflow, slices, and what is said of a cast before it runs.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, ListArray, NullArray,
    StringArray, StructArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs};

use super::recorded_tests::{cast, kind, printed, value};
use super::{Cast, Failure, Overflow};
use crate::testing::{bigint, double, evaluate_udf, text};

fn run(cast: &Cast, array: ArrayRef) -> Result<ArrayRef> {
    let number_rows = array.len();
    cast.udf()
        .invoke_with_args(ScalarFunctionArgs {
            arg_fields: vec![Arc::new(Field::new("a", array.data_type().clone(), true))],
            args: vec![ColumnarValue::Array(array)],
            number_rows,
            return_field: Arc::new(Field::new("r", cast.to.arrow(), true)),
            config_options: Arc::new(ConfigOptions::new()),
        })?
        .into_array(number_rows)
}

fn of(from: &str, to: &str) -> Cast {
    cast(&kind(from), &kind(to))
}

fn lenient(from: &str, to: &str) -> Cast {
    Cast {
        failure: Failure::Null,
        ..of(from, to)
    }
}

fn checked(from: &str, to: &str) -> Cast {
    Cast {
        overflow: Overflow::Error,
        ..of(from, to)
    }
}

#[test]
fn functions_are_equal_as_their_casts_are() {
    let casts = [
        of("STRING", "DECIMAL(10, 2)"),
        of("STRING", "DECIMAL(10, 3)"),
        of("CHAR(3)", "DECIMAL(10, 2)"),
        lenient("STRING", "DECIMAL(10, 2)"),
        checked("STRING", "DECIMAL(10, 2)"),
    ];
    let udfs: HashSet<_> = casts.iter().chain(&casts).map(Cast::udf).collect();
    assert_eq!(udfs.len(), casts.len());
}

#[test]
fn names_are_as_in_sql() {
    let column = || vec![Expr::Column(Column::from_name("x"))];
    let shown = |cast: Cast| cast.udf().call(column()).schema_name().to_string();
    assert_eq!(
        shown(of("STRING", "DECIMAL(10, 2)")),
        "CAST(x AS DECIMAL(10, 2))"
    );
    assert_eq!(
        shown(lenient("STRING", "ROW<a INT, b ARRAY<TIMESTAMP_LTZ(3)>>")),
        "TRY_CAST(x AS ROW<`a` INT, `b` ARRAY<TIMESTAMP_LTZ(3)>>)"
    );
}

#[test]
fn overflow_is_an_error_where_asked_for() {
    let table = [
        ("BIGINT", "INT", bigint(3_000_000_000), Some("-1294967296")),
        ("BIGINT", "INT", bigint(-2_147_483_648), None),
        (
            "DOUBLE",
            "BIGINT",
            double(1e19),
            Some("9223372036854775807"),
        ),
        (
            "DOUBLE",
            "BIGINT",
            double(-9.3e18),
            Some("-9223372036854775808"),
        ),
        ("DOUBLE", "TINYINT", double(200.5), Some("-56")),
        ("DOUBLE", "TINYINT", double(127.9), None),
        ("DOUBLE", "INT", double(f64::NAN), None),
    ];
    for (from, to, value, wrapped) in table {
        let cast = of(from, to);
        assert!(!cast.can_fail());
        let result = evaluate_udf(&cast.udf(), vec![value.clone()]).unwrap();
        if let Some(wrapped) = wrapped {
            assert_eq!(printed(&cast.to, &result), wrapped);
        }
        let cast = checked(from, to);
        assert!(cast.can_fail());
        let strict = evaluate_udf(&cast.udf(), vec![value.clone()]);
        match wrapped {
            Some(_) => {
                let error = strict.unwrap_err().to_string();
                assert!(
                    error.contains(&format!("cannot be cast to {to}")),
                    "{error}"
                );
            }
            None => assert_eq!(strict.unwrap(), result),
        }
        let cast = Cast {
            failure: Failure::Null,
            ..cast
        };
        assert!(!cast.can_fail() && cast.can_give_null());
        let tried = evaluate_udf(&cast.udf(), vec![value]).unwrap();
        assert_eq!(tried.is_null(), wrapped.is_some());
    }
    assert!(!checked("INT", "BIGINT").can_fail());
    assert!(!checked("DECIMAL(9, 0)", "INT").can_fail());
    assert!(checked("DECIMAL(10, 0)", "INT").can_fail());
}

#[test]
fn what_is_no_number_is_no_decimal() {
    // Flink dies of these in TRY_CAST too.
    for value in [f64::NAN, f64::INFINITY] {
        let strict = of("DOUBLE", "DECIMAL(10, 2)");
        let error = evaluate_udf(&strict.udf(), vec![double(value)]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("cannot be cast to DECIMAL(10, 2)")
        );
        let lenient = lenient("DOUBLE", "DECIMAL(10, 2)");
        let result = evaluate_udf(&lenient.udf(), vec![double(value)]).unwrap();
        assert!(result.is_null());
    }
}

#[test]
fn an_error_names_the_value_and_the_type() {
    let cast = of("STRING", "INT");
    let array = StringArray::from(vec![Some("1"), None, Some("x y"), Some("z")]);
    let error = run(&cast, Arc::new(array)).unwrap_err().to_string();
    assert!(
        error.contains("CAST: 'x y' cannot be cast to INT"),
        "{error}"
    );
    let long = evaluate_udf(&cast.udf(), vec![text(&"ä".repeat(1000))]).unwrap_err();
    assert!(long.to_string().len() < 300, "{long}");
}

#[test]
fn what_a_cast_may_do_is_known_before() {
    // from, to, can fail, CAST can give NULL, TRY_CAST can give NULL
    let table = [
        ("NULL", "INT", false, false, false),
        ("STRING", "INT", true, false, true),
        ("STRING", "DECIMAL(10, 2)", true, false, true),
        ("STRING", "VARCHAR(3)", false, false, false),
        ("STRING", "BYTES", false, false, false),
        ("INT", "STRING", false, false, false),
        ("BIGINT", "INT", false, false, false),
        ("INT", "DECIMAL(10, 0)", false, false, false),
        ("INT", "DECIMAL(10, 1)", false, true, true),
        ("DOUBLE", "DECIMAL(38, 0)", true, true, true),
        ("DECIMAL(10, 2)", "DECIMAL(9, 1)", false, true, true),
        ("DECIMAL(10, 2)", "DECIMAL(10, 1)", false, false, false),
        ("DATE", "TIMESTAMP(3)", false, false, false),
        ("DATE", "TIMESTAMP(9)", true, false, true),
        ("TIME(3)", "TIMESTAMP(9)", false, false, false),
        ("ARRAY<STRING>", "ARRAY<INT>", true, false, true),
        ("ARRAY<INT>", "ARRAY<DECIMAL(2, 1)>", false, false, false),
        (
            "MAP<INT, INT>",
            "MAP<DECIMAL(2, 1), INT>",
            true,
            false,
            true,
        ),
        ("ROW<a INT>", "ROW<b STRING>", false, false, false),
    ];
    for (from, to, fails, gives_null, tries_null) in table {
        assert_eq!(of(from, to).can_fail(), fails, "{from} {to}");
        assert_eq!(of(from, to).can_give_null(), gives_null, "{from} {to}");
        assert!(!lenient(from, to).can_fail(), "{from} {to}");
        assert_eq!(lenient(from, to).can_give_null(), tries_null, "{from} {to}");
    }
}

#[test]
fn null_is_null_of_any_type() {
    for to in ["INT", "ARRAY<STRING>", "ROW<a INT>", "TIMESTAMP_LTZ(3)"] {
        let result = run(&of("NULL", to), Arc::new(NullArray::new(2))).unwrap();
        assert_eq!((result.null_count(), result.len()), (2, 2));
        assert_eq!(*result.data_type(), kind(to).arrow());
    }
}

#[test]
fn slices_and_what_null_hides_do_not_fail() {
    let field = Arc::new(Field::new("item", DataType::Utf8, true));
    let items = StringArray::from(vec!["x", "1", "y", "2", "3", "z"]);
    // ['x'], ['1'], NULL over ['y'], ['2', '3'], ['z']
    let nulls = NullBuffer::from(vec![true, true, false, true, true]);
    let offsets = OffsetBuffer::from_lengths([1, 1, 1, 2, 1]);
    let lists = ListArray::new(field, offsets, Arc::new(items), Some(nulls));
    let strict = of("ARRAY<STRING>", "ARRAY<INT>");
    let result = run(&strict, Arc::new(lists.slice(1, 3))).unwrap();
    let result = result.as_list::<i32>();
    assert_eq!(result.value(0).as_primitive::<Int32Type>().values(), &[1]);
    assert!(result.is_null(1));
    assert_eq!(
        result.value(2).as_primitive::<Int32Type>().values(),
        &[2, 3]
    );
    assert!(run(&strict, Arc::new(lists.clone())).is_err());
    let tried = run(&lenient("ARRAY<STRING>", "ARRAY<INT>"), Arc::new(lists)).unwrap();
    let nulls: Vec<bool> = (0..5).map(|row| tried.is_null(row)).collect();
    assert_eq!(nulls, [true, false, true, false, true]);

    let field = Arc::new(Field::new("a", DataType::Utf8, true));
    let column: ArrayRef = Arc::new(StringArray::from(vec!["x", "7"]));
    let nulls = NullBuffer::from(vec![false, true]);
    let rows = StructArray::new(vec![field].into(), vec![column], Some(nulls));
    let result = run(&of("ROW<a STRING>", "ROW<b INT>"), Arc::new(rows)).unwrap();
    let column = result
        .as_struct()
        .column(0)
        .as_primitive::<Int32Type>()
        .clone();
    assert!(result.is_null(0));
    assert_eq!(column.value(1), 7);
}

#[test]
fn parts_that_are_declared_not_null_are_taken() {
    let field = Arc::new(Field::new("a", DataType::Int32, false));
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let rows: ArrayRef = Arc::new(StructArray::new(vec![field].into(), vec![column], None));
    let cast = of("ROW<a INT>", "ROW<a INT>");
    assert_eq!(*run(&cast, rows).unwrap().data_type(), cast.to.arrow());
}

#[test]
fn a_key_that_would_be_null_has_no_cast() {
    let (from, to) = ("MAP<INT, INT>", "MAP<DECIMAL(2, 1), INT>");
    let map = value(&kind(from), "(1, 2, 10, 3)");
    assert!(run(&of(from, to), Arc::clone(&map)).is_err());
    assert!(run(&lenient(from, to), map).unwrap().is_null(0));
}

#[test]
fn columns_are_cast_value_by_value() {
    let ints = Int64Array::from(vec![Some(1), None, Some(3_000_000_000)]);
    let result = run(&of("BIGINT", "INT"), Arc::new(ints)).unwrap();
    let expected = Int32Array::from(vec![Some(1), None, Some(-1_294_967_296)]);
    assert_eq!(result.as_primitive::<Int32Type>(), &expected);
    let doubles = Float64Array::from(vec![Some(1.005), None, Some(1e300)]);
    let result = run(&of("DOUBLE", "DECIMAL(10, 2)"), Arc::new(doubles)).unwrap();
    let shown: Vec<String> = (0..3)
        .map(|row| ScalarValue::try_from_array(&result, row).unwrap())
        .map(|value| printed(&kind("DECIMAL(10, 2)"), &value))
        .collect();
    assert_eq!(shown, ["1.01", "NULL", "NULL"]);
}
