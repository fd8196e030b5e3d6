//! Flink SQL's functions as DataFusion UDFs, usable without flowline: Flink's names, result types and NULL rules.
//!
//! Register them over DataFusion's own; those of the same name replace them. Units of time are text arguments:
//! `TIMESTAMPDIFF('MINUTE', a, b)`, `FLOOR(t, 'HOUR')`, `EXTRACT('YEAR', t)`.

mod aggregate;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod aggregate_tests;
mod arrays;
mod calendar;
pub mod casts;
mod clock;
mod codes;
mod collected;
mod conditional;
mod decimal;
mod distinct;
mod encoding;
mod exact;
mod exact_distinct;
mod exact_kinds;
mod extremes;
mod floats;
mod frame_functions;
mod frames;
mod function;
#[cfg(test)]
mod further_tests;
mod integers;
mod intervals;
mod item;
pub mod java;
mod java_classes;
mod java_escapes;
mod java_regex;
mod java_syntax;
mod json;
mod json_make;
mod json_path;
mod json_text;
mod like;
mod moments;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod null_tests;
mod numeric;
mod ordered;
mod pattern;
mod printf;
mod random;
mod regular;
mod round;
mod single;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod sql_tests;
mod strings;
mod temporal;
#[cfg(test)]
mod testing;
mod text_time;
mod texts;
mod twofold;
mod variance;
mod variance_over;
mod words;
mod zones;

use std::sync::Arc;

use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub use floats::Comparison;
pub use frame_functions::frame_function;
pub use frames::{Before, FrameFunction, Moves, Segment, Step};
pub use integers::Checked;

/// The functions by file.
static TABLES: [&[function::Function]; 15] = [
    arrays::FUNCTIONS,
    clock::FUNCTIONS,
    codes::FUNCTIONS,
    conditional::FUNCTIONS,
    encoding::FUNCTIONS,
    json::FUNCTIONS,
    json_make::FUNCTIONS,
    numeric::FUNCTIONS,
    printf::FUNCTIONS,
    random::FUNCTIONS,
    regular::FUNCTIONS,
    strings::FUNCTIONS,
    temporal::FUNCTIONS,
    words::FUNCTIONS,
    zones::FUNCTIONS,
];

/// Scalar functions under Flink's names.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    TABLES.into_iter().flat_map(function::udfs).collect()
}

/// Whether the values of a row can make a scalar function fail, so that it must not be evaluated for rows that do not reach it.
/// Of this crate's functions it is known, and of those of DataFusion that cannot; any other can. (A result of more than 2 GiB is
/// left out of account, unless a number in the row is enough to ask for it, as in REPEAT.)
pub fn can_fail(name: &str) -> bool {
    let name = name.to_lowercase();
    let by_tables = TABLES.iter().flat_map(|table| table.iter());
    let operators = floats::ALL.iter().chain(integers::ALL).copied();
    let others = [
        &decimal::DIVIDE,
        &intervals::TIMES,
        &intervals::TIME_PLUS,
        &item::ITEM,
        &like::LIKE,
        &like::SIMILAR_TO,
    ];
    let mut known = by_tables.chain(operators).chain(others);
    match known.find(|f| f.name == name || f.aliases.contains(&name.as_str())) {
        Some(function) => function.fails,
        None => !NEVER_FAILING.contains(&name.as_str()),
    }
}

/// Functions of DataFusion that give a result, or NULL, for all values of their types.
const NEVER_FAILING: [&str; 13] = [
    "array_element",
    "coalesce",
    "get_field",
    "make_array",
    "map",
    "map_extract",
    "named_struct",
    "nullif",
    "nvl",
    "nvl2",
    "row",
    "struct",
    "uuid",
];

/// Aggregate functions under Flink's names: SUM, AVG, MIN, MAX, STDDEV_SAMP (STDDEV), STDDEV_POP, VAR_SAMP (VARIANCE), VAR_POP,
/// FIRST_VALUE, LAST_VALUE, LISTAGG and ARRAY_AGG.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    [
        exact::functions(),
        extremes::functions(),
        variance::functions(),
        collected::functions(),
    ]
    .concat()
}

/// What takes the place of an aggregate function inside OVER, where Flink computes it in another way there: AVG of FLOAT adds
/// up in FLOAT; STDDEV_SAMP and similar are computed from the sums of x and x * x, as in
/// `POWER((SUM(x * x) - SUM(x) * SUM(x) / COUNT(x)) / (COUNT(x) - 1), 0.5)`, in the arithmetic of the argument's type.
pub fn over_variant(name: &str) -> Option<Arc<AggregateUDF>> {
    variance_over::function(name).or_else(|| exact::over_variant(name))
}

/// Window functions under Flink's names: LAG and LEAD, ROW_NUMBER, RANK, DENSE_RANK, PERCENT_RANK, CUME_DIST, NTILE and
/// NTH_VALUE, which DataFusion has with Flink's meaning. FIRST_VALUE and LAST_VALUE are not among them: Flink's are the
/// aggregate functions, which skip NULL in OVER too.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    SessionStateDefaults::default_window_functions()
        .into_iter()
        .filter(|f| !matches!(f.name(), "first_value" | "last_value"))
        .collect()
}

/// DECIMAL / DECIMAL with Flink's result type; half up, division by zero is an error.
pub fn decimal_divide() -> Arc<ScalarUDF> {
    function::udf(&decimal::DIVIDE)
}

/// A comparison of two FLOATs or two DOUBLEs as Java makes it: NaN equals nothing, 0.0 equals -0.0. NULL if one is NULL.
pub fn float_comparison(op: Comparison) -> Arc<ScalarUDF> {
    floats::comparison(op)
}

/// IS DISTINCT FROM between two FLOATs or two DOUBLEs: NaN is distinct from everything, 0.0 not from -0.0. Never NULL.
pub fn float_distinct() -> Arc<ScalarUDF> {
    function::udf(&floats::DISTINCT)
}

/// `/` between two whole numbers of one type, as in Java: towards zero, wrapping around; by 0 it is an error.
pub fn integer_divide() -> Arc<ScalarUDF> {
    function::udf(&integers::DIVIDE)
}

/// `%` between two whole numbers of one type, as in Java: with the sign of the left; by 0 it is an error.
pub fn integer_modulo() -> Arc<ScalarUDF> {
    function::udf(&integers::MODULO)
}

/// Arithmetic of whole numbers of one type that fails where the result does not fit it.
pub fn checked(op: Checked) -> Arc<ScalarUDF> {
    integers::checked(op)
}

/// SUM that fails where the result does not fit its type. (Flink's wraps around, and is NULL beyond 38 digits.)
pub fn checked_sum() -> Arc<AggregateUDF> {
    exact::checked_sum()
}

/// The value of a scalar subquery, which gives one row at most: more than one is an error.
pub fn single_value() -> Arc<AggregateUDF> {
    single::function()
}

/// `TIME + INTERVAL`: what passes midnight goes on from 0.
pub fn time_plus() -> Arc<ScalarUDF> {
    function::udf(&intervals::TIME_PLUS)
}

/// `interval * number`.
pub fn interval_times() -> Arc<ScalarUDF> {
    function::udf(&intervals::TIMES)
}

/// `array[n]` and `map[key]`: elements are counted from 1, NULL where there is none.
pub fn item() -> Arc<ScalarUDF> {
    function::udf(&item::ITEM)
}

/// `text SIMILAR TO pattern [ESCAPE escape]`.
pub fn similar_to() -> Arc<ScalarUDF> {
    function::udf(&like::SIMILAR_TO)
}

/// `text LIKE pattern [ESCAPE escape]`; without ESCAPE, no character escapes.
pub fn like() -> Arc<ScalarUDF> {
    function::udf(&like::LIKE)
}

#[cfg(test)]
mod tests {
    use super::can_fail;

    #[test]
    fn what_can_fail() {
        for name in [
            "integer_divide",
            "checked_add",
            "decimal_divide",
            "REPEAT",
            "lpad",
            "mod",
            "round",
            "regexp",
            "similar_to",
            "json_value",
            "timestampadd",
            "sha2",
            "element",
            "from_base64",
            "nothing_known",
        ] {
            assert!(can_fail(name), "{name}");
        }
        for name in [
            "float_eq",
            "float_distinct",
            "item",
            "UPPER",
            "concat",
            "char_length",
            "character_length",
            "abs",
            "sqrt",
            "year",
            "split",
            "greatest",
            "coalesce",
            "nullif",
            "named_struct",
        ] {
            assert!(!can_fail(name), "{name}");
        }
    }
}
