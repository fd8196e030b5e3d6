//! Aggregate functions through SQL, against what Flink 2.3 gave; partial results and values taken back.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, EmitTo};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};

use crate::sql_tests::run;
use crate::testing::text_of;

const NUMBERS: &str = "(SELECT arrow_cast(column1, 'Int32') i, column2 b, arrow_cast(column3, 'Decimal128(10, 2)') d, \
    arrow_cast(column4, 'Float64') x, arrow_cast(column4, 'Float32') f, arrow_cast(column5, 'Int8') t \
    FROM (VALUES (1, 1, 10.11, 1.1, 5), (2, 3, 10.22, 2.3, 7), (4, 7, 13.37, 7.7, 17), (9, 27, 99.99, 17.7, 27)))";

#[test]
fn spreads_in_the_type_of_the_argument() {
    for (column, expected) in [
        ("i", "3 3 12 9 3 12"),
        ("b", "11 10 142 106 11 142"),
        (
            "d",
            "44.404067 38.455050 1971.721158 1478.790869 44.404067 1971.721158",
        ),
        (
            "x",
            // Flink's rounding errors make 57.24 and 7.5657121277510955 of it.
            "7.565712127751095 6.552098900352466 57.239999999999995 42.93 7.565712127751095 57.239999999999995",
        ),
        (
            "f",
            "7.5657125 6.552099 57.240005 42.930004 7.5657125 57.240005",
        ),
        ("t", "10 8 102 77 10 102"),
        (
            "arrow_cast(d, 'Decimal128(38, 10)')",
            "44.4040669121 38.4550499772 1971.7211583333 1478.7908687500 44.4040669121 1971.7211583333",
        ),
        (
            "arrow_cast(arrow_cast(d, 'Decimal128(5, 0)'), 'Decimal128(5, 0)')",
            "44.522466 38.557587 1982.250000 1486.687500 44.522466 1982.250000",
        ),
        (
            "CASE WHEN i > 9 THEN x END",
            "NULL NULL NULL NULL NULL NULL",
        ),
        ("CASE WHEN i = 9 THEN i END", "NULL 0 NULL 0 NULL NULL"),
        ("NULL", "NULL NULL NULL NULL NULL NULL"),
    ] {
        let rows = run(&format!(
            "SELECT stddev_samp({column}), stddev_pop({column}), var_samp({column}), var_pop({column}), \
             stddev({column}), variance({column}) FROM {NUMBERS}"
        ))
        .unwrap();
        assert_eq!(rows, [expected], "{column}");
    }
    let rows = run(
        "SELECT k, stddev_samp(v), var_pop(v * 1.0), stddev(DISTINCT v % 3) FROM t WHERE k IN (1, 9) GROUP BY k ORDER BY k",
    );
    assert_eq!(rows.unwrap(), ["1 30 825.0 1", "9 NULL NULL NULL"]);
    let rows = run("SELECT var_pop(v), var_pop(arrow_cast(v + 0, 'Int8')) FROM t").unwrap();
    assert_eq!(rows, ["831 63"], "the last bits");
    let error = run("SELECT var_pop(s) FROM t").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("VAR_POP takes a number, not Utf8"),
        "{error}"
    );
}

const VALUES: &str = "(SELECT arrow_cast(column1, 'Int32') n, column2 s FROM \
    (VALUES (NULL, 'a'), (3, NULL), (5, 'b'), (3, 'a'), (NULL, 'c')))";

#[test]
fn values_in_order() {
    for (sql, expected) in [
        ("first_value(n), last_value(n)", "3 3"),
        ("listagg(s), listagg(s, '-')", "a,b,a,c a-b-a-c"),
        ("array_agg(n)", "[NULL, 3, 5, 3, NULL]"),
        ("array_agg(s)", "[a, NULL, b, a, c]"),
        ("array_agg(n) IGNORE NULLS", "[3, 5, 3]"),
        (
            "listagg(DISTINCT s), listagg(DISTINCT s, '+'), listagg(s)",
            "a,b,c a+b+c a,b,a,c",
        ),
        ("array_agg(DISTINCT n), listagg(s)", "[NULL, 3, 5] a,b,a,c"),
        (
            "count(DISTINCT n), sum(DISTINCT n), avg(DISTINCT n)",
            "2 8 4",
        ),
        ("count(n), min(n), max(s)", "3 3 c"),
        (
            "listagg(s) FILTER (WHERE n > 9), array_agg(n) FILTER (WHERE n > 9)",
            "NULL NULL",
        ),
        (
            "first_value(n) FILTER (WHERE n > 3), last_value(n) FILTER (WHERE n > 9)",
            "5 NULL",
        ),
        ("listagg(s ORDER BY n DESC NULLS LAST, s)", "b,a,a,c"),
        (
            "array_agg(DISTINCT s ORDER BY s DESC NULLS LAST)",
            "[c, b, a, NULL]",
        ),
        ("first_value(s ORDER BY n DESC NULLS LAST)", "b"),
    ] {
        let rows = run(&format!("SELECT {sql} FROM {VALUES}")).unwrap();
        assert_eq!(rows, [expected], "{sql}");
    }
    let rows = run(
        "SELECT k, first_value(v ORDER BY v), last_value(v ORDER BY v), listagg(s, ';' ORDER BY v DESC) \
                    FROM t WHERE v < 40 AND k IN (1, 2) GROUP BY k ORDER BY k",
    );
    assert_eq!(
        rows.unwrap(),
        ["1 1 31 n,31;n,21;n,11;n,1", "2 2 32 n,32;n,22;n,12;n,2"]
    );
    for (sql, expected) in [
        ("listagg(n)", "LISTAGG takes STRING, not Int32"),
        (
            "listagg(s, s)",
            "Argument to function 'LISTAGG' must be a literal",
        ),
        ("listagg(s, NULL)", "must not be NULL"),
    ] {
        let error = run(&format!("SELECT {sql} FROM {VALUES}")).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// Calls `f` with the arguments of an accumulator for a column of the type.
fn with_args<T>(
    udf: &AggregateUDF,
    input: &DataType,
    is_distinct: bool,
    f: impl FnOnce(AccumulatorArgs, Vec<DataType>) -> T,
) -> T {
    let field = Arc::new(Field::new("a", input.clone(), true));
    let schema = Schema::new(vec![Arc::clone(&field)]);
    let output = udf.return_type(std::slice::from_ref(input)).unwrap();
    let return_field = Arc::new(Field::new("r", output, true));
    let mut exprs: Vec<Arc<dyn PhysicalExpr>> = vec![Arc::new(Column::new("a", 0))];
    if udf.name() == "listagg" {
        exprs.push(Arc::new(Literal::new(ScalarValue::from(";"))));
    }
    let states = udf.state_fields(StateFieldsArgs {
        name: "r",
        input_fields: &[Arc::clone(&field)],
        return_field: Arc::clone(&return_field),
        ordering_fields: &[],
        is_distinct,
    });
    let types = states
        .unwrap()
        .iter()
        .map(|f| f.data_type().clone())
        .collect();
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
    f(args, types)
}

fn accumulator(udf: &AggregateUDF, input: &DataType, is_distinct: bool) -> Box<dyn Accumulator> {
    with_args(udf, input, is_distinct, |args, _| {
        udf.accumulator(args).unwrap()
    })
}

/// The state as columns of one row, of the declared types.
fn state(
    udf: &AggregateUDF,
    input: &DataType,
    is_distinct: bool,
    of: &mut dyn Accumulator,
) -> Vec<ArrayRef> {
    let state = of.state().unwrap();
    let types: Vec<DataType> = state.iter().map(ScalarValue::data_type).collect();
    with_args(udf, input, is_distinct, |_, declared| {
        assert_eq!(types, declared, "{}", udf.name())
    });
    state.iter().map(|s| s.to_array().unwrap()).collect()
}

/// However rows are split and merged, the result is the same; and the same again after values were put in and taken back in
/// any order, where the accumulator can do that. With all taken back, it is as new.
fn check_parts(udf: &AggregateUDF, values: &ArrayRef, is_distinct: bool) {
    let input = values.data_type();
    let new = || accumulator(udf, input, is_distinct);
    let mut whole = new();
    let nothing = whole.evaluate().unwrap();
    whole.update_batch(std::slice::from_ref(values)).unwrap();
    let expected = whole.evaluate().unwrap();
    let what = format!("{} {is_distinct} of {values:?}", udf.name());

    for split in 0..=values.len() {
        let parts = [
            values.slice(0, split),
            values.slice(split, values.len() - split),
        ];
        let mut merged = new();
        for part in &parts {
            let mut one = new();
            one.update_batch(std::slice::from_ref(part)).unwrap();
            merged
                .merge_batch(&state(udf, input, is_distinct, one.as_mut()))
                .unwrap();
        }
        assert_eq!(
            merged.evaluate().unwrap(),
            expected,
            "{what} split at {split}"
        );
    }

    if whole.supports_retract_batch() {
        let mut order: Vec<usize> = (0..values.len()).collect();
        fastrand::Rng::with_seed(3).shuffle(&mut order);
        whole.update_batch(std::slice::from_ref(values)).unwrap();
        for row in &order {
            whole.retract_batch(&[values.slice(*row, 1)]).unwrap();
        }
        let left = whole.evaluate().unwrap();
        match (&left, &expected) {
            // Sums of doubles keep rounding errors, as in Flink.
            (ScalarValue::Float64(Some(a)), ScalarValue::Float64(Some(b))) => {
                assert!((a - b).abs() <= 1e-9 * b.abs(), "{what}: {a} and {b}");
            }
            _ => assert_eq!(left, expected, "{what}: taken back"),
        }
        for row in &order {
            whole.retract_batch(&[values.slice(*row, 1)]).unwrap();
        }
        assert_eq!(whole.evaluate().unwrap(), nothing, "{what}: all taken back");
        assert_eq!(
            whole.state().unwrap(),
            new().state().unwrap(),
            "{what}: all taken back"
        );
    }

    let supported = with_args(udf, input, is_distinct, |args, _| {
        udf.groups_accumulator_supported(args)
    });
    if supported {
        let groups = || {
            with_args(udf, input, is_distinct, |args, _| {
                udf.create_groups_accumulator(args).unwrap()
            })
        };
        let indices = vec![1; values.len()];
        let mut first = groups();
        first
            .update_batch(std::slice::from_ref(values), &indices, None, 3)
            .unwrap();
        let partial = first.state(EmitTo::All).unwrap();
        let mut second = groups();
        second.merge_batch(&partial, &[0, 1, 2], 3).unwrap();
        let mut third = groups();
        let converted = third
            .convert_to_state(std::slice::from_ref(values), None)
            .unwrap();
        third.merge_batch(&converted, &indices, 3).unwrap();
        for groups in [&mut second, &mut third] {
            let all = groups.evaluate(EmitTo::All).unwrap();
            assert_eq!(
                ScalarValue::try_from_array(&all, 0).unwrap(),
                nothing,
                "{what}"
            );
            assert_eq!(
                ScalarValue::try_from_array(&all, 1).unwrap(),
                expected,
                "{what} by groups"
            );
        }
        assert!(groups().evaluate(EmitTo::All).unwrap().is_empty());
    }
}

#[test]
fn parts_and_retractions() {
    let decimals = Decimal128Array::from(vec![Some(1011), None, Some(1022), Some(1337)]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![
            Some(5),
            None,
            Some(3),
            Some(5),
            Some(100),
        ])),
        Arc::new(Int64Array::from(vec![1_000_000_007, 1, 1])),
        Arc::new(Float64Array::from(vec![
            Some(0.1),
            Some(1e9),
            None,
            Some(0.7),
        ])),
        Arc::new(Float64Array::from(vec![None, None])),
        Arc::new(decimals.with_data_type(DataType::Decimal128(10, 2))),
        Arc::new(StringArray::from(vec![
            Some("b"),
            None,
            Some("a"),
            Some("b"),
        ])),
    ];
    let mut all = crate::aggregate_functions();
    all.extend(
        ["stddev_samp", "var_pop", "avg"]
            .iter()
            .filter_map(|n| crate::over_variant(n)),
    );
    // They have tests of their own.
    all.retain(|f| !matches!(f.name(), "min" | "max"));
    assert_eq!(all.len(), 13);
    for udf in &all {
        for values in &columns {
            let is_text = *values.data_type() == DataType::Utf8;
            let takes = match udf.name() {
                "listagg" => is_text,
                "first_value" | "last_value" | "array_agg" => true,
                _ => !is_text,
            };
            if takes {
                check_parts(udf, values, false);
                check_parts(udf, values, true);
            }
        }
    }
}

fn over(name: &str, values: ArrayRef) -> Vec<String> {
    let udf = crate::over_variant(name).unwrap();
    let mut over = accumulator(&udf, values.data_type(), false);
    let frame = |row: usize| -> Result<String> {
        if row > 2 {
            over.retract_batch(&[values.slice(row - 3, 1)])?;
        }
        over.update_batch(&[values.slice(row, 1)])?;
        Ok(text_of(&over.evaluate()?))
    };
    (0..values.len()).map(frame).collect::<Result<_>>().unwrap()
}

/// `OVER (ORDER BY t ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)`.
#[test]
fn inside_over() {
    let whole = [
        Some(1),
        Some(5),
        Some(9),
        Some(100),
        Some(101),
        Some(105),
        None,
        None,
        None,
        Some(7),
        Some(3),
    ];
    let ints = || Arc::new(Int32Array::from(whole.to_vec()));
    assert_eq!(
        over("stddev_samp", ints()).join(" "),
        "NULL 2 4 53 52 2 2 NULL NULL NULL 2"
    );
    assert_eq!(
        over("stddev_pop", ints()).join(" "),
        "0 2 3 43 43 2 2 0 NULL 0 2"
    );
    assert_eq!(
        over("var_samp", ints()).join(" "),
        "NULL 8 16 2887 2791 7 8 NULL NULL NULL 8"
    );
    assert_eq!(
        over("var_pop", ints()).join(" "),
        "0 4 10 1924 1860 4 4 0 NULL 0 4"
    );
    let decimals =
        Decimal128Array::from_iter(whole.iter().map(|v| v.map(|v| i128::from(v) * 100 + 37)));
    let decimals = || Arc::new(decimals.clone().with_data_type(DataType::Decimal128(10, 2)));
    assert_eq!(
        over("stddev_samp", decimals()).join(" "),
        "NULL 2.828427 4.000000 53.730811 52.829916 2.645751 2.828427 NULL NULL NULL 2.828427"
    );
    assert_eq!(
        over("var_pop", decimals())[2..5].join(" "),
        "10.666667 1924.666667 1860.666667"
    );
    let scaled = Decimal128Array::from(vec![
        13_700_000_000,
        53_700_000_000,
        93_700_000_000,
        1_003_700_000_000,
    ]);
    let scaled = scaled.with_data_type(DataType::Decimal128(38, 10));
    assert_eq!(over("stddev_samp", Arc::new(scaled))[3], "53.7308105280");
    let doubles = Float64Array::from(vec![
        Some(0.1),
        Some(0.2),
        Some(0.7),
        Some(1e9 + 1.0),
        Some(1e9 + 2.0),
        Some(1e9 + 3.0),
        None,
        None,
        None,
        Some(5.5),
    ]);
    let doubles = || Arc::new(doubles.clone());
    assert_eq!(
        over("stddev_samp", doubles()).join(" "),
        "NULL 0.07071067811865474 0.3214550253664318 5.773502695071684E8 5.773502696515061E8 0.0 0.0 NULL NULL NULL"
    );
    assert_eq!(
        over("var_pop", doubles())[2..5].join(" "),
        "0.06888888888888887 2.2222222246666666E17 2.2222222257777782E17"
    );
    let singles = Float64Array::from(vec![1.3, 5.3, 9.3]);
    let singles = datafusion::arrow::compute::cast(&singles, &DataType::Float32).unwrap();
    assert_eq!(over("avg", singles).join(" "), "1.3 3.3000002 5.3");
    assert!(crate::over_variant("max").is_none());
}
