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
mod cast;
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
mod function;
#[cfg(test)]
mod further_tests;
pub mod health;
pub mod java;
mod json;
mod json_make;
mod json_path;
mod json_text;
mod moments;
mod numeric;
mod ordered;
mod pattern;
mod printf;
mod random;
mod regular;
mod round;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod sql_tests;
mod strings;
mod temporal;
#[cfg(test)]
mod testing;
mod text_number;
mod text_time;
mod twofold;
mod variance;
mod variance_over;
mod words;
mod zones;

use std::sync::Arc;

use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

/// Scalar functions under Flink's names, and flowline's own HEALTH_STATUS, Z_SCORE and ERROR_TREND.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    [
        arrays::FUNCTIONS,
        clock::FUNCTIONS,
        codes::FUNCTIONS,
        conditional::FUNCTIONS,
        encoding::FUNCTIONS,
        health::FUNCTIONS,
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
    ]
    .into_iter()
    .flat_map(function::udfs)
    .collect()
}

/// Aggregate functions under Flink's names: SUM, AVG, STDDEV_SAMP (STDDEV), STDDEV_POP, VAR_SAMP (VARIANCE), VAR_POP,
/// FIRST_VALUE, LAST_VALUE, LISTAGG and ARRAY_AGG.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    [
        exact::functions(),
        variance::functions(),
        collected::functions(),
    ]
    .concat()
}

/// What takes the place of an aggregate function inside OVER, where Flink computes it in another way there: AVG of FLOAT adds
/// up in FLOAT; STDDEV_SAMP and its kin are computed from the sums of x and x * x, as in
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

/// CAST(x AS STRING) of any type, printed as Flink does.
pub fn cast_to_string() -> Arc<ScalarUDF> {
    function::udf(&cast::CAST)
}

/// Text that a CAST to a whole number reads: a fraction is cut off (`1.9` is 1).
pub fn whole_number_text() -> Arc<ScalarUDF> {
    function::udf(&text_number::WHOLE)
}

/// Text that a CAST to DECIMAL reads: exponents written out (`1e3` is 1000).
pub fn decimal_text() -> Arc<ScalarUDF> {
    function::udf(&text_number::DECIMAL)
}

/// DECIMAL / DECIMAL with Flink's result type; half up, division by zero is an error.
pub fn decimal_divide() -> Arc<ScalarUDF> {
    function::udf(&decimal::DIVIDE)
}
