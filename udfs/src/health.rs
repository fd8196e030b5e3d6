//! flowline's own functions over counts and rates of errors. Each is short for plain SQL that Flink runs, given with it.
//!
//! `HEALTH_STATUS(critical_count, error_count, total_events)`: how a system is, by what happened in a window.
//!
//! The same as
//!
//! ```sql
//! CASE
//!   WHEN critical_count > 0 THEN 'CRITICAL'
//!   WHEN CAST(critical_count + error_count AS DOUBLE) / CAST(total_events AS DOUBLE) > CAST(0.1 AS DOUBLE) THEN 'DEGRADED'
//!   WHEN error_count > 0 THEN 'WARNING'
//!   ELSE 'HEALTHY'
//! END
//! ```
//!
//! It is never NULL: of an unknown count nothing bad is said.
//!
//! `Z_SCORE(value, mean, stddev)`: how many standard deviations a value lies above the mean, as DOUBLE. NULL where an argument
//! is NULL and where the deviation is 0: then nothing can be said.
//!
//! The same as
//!
//! ```sql
//! CASE WHEN stddev <> 0
//!   THEN (CAST(value AS DOUBLE) - CAST(mean AS DOUBLE)) / CAST(stddev AS DOUBLE)
//! END
//! ```
//!
//! `ERROR_TREND(rate, previous_rate [, threshold])`: how a rate moved. `threshold` is in the unit of the rates; without it, it
//! is 10, for rates in percent. The change is rounded to two digits, so that 20.1 after 10.1 is a change of 10.
//!
//! The same as
//!
//! ```sql
//! CASE
//!   WHEN ROUND(rate - previous_rate, 2) IS NULL THEN 'NO_BASELINE'
//!   WHEN ROUND(rate - previous_rate, 2) >= threshold THEN 'SPIKE'
//!   WHEN ROUND(rate - previous_rate, 2) <= -threshold THEN 'IMPROVING'
//!   ELSE 'STABLE'
//! END
//! ```
//!
//! over DOUBLEs. It is never NULL.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;

use crate::function::{Call, Function, Kind, Nulls, Takes};
use crate::round::round_double;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new(
        "health_status",
        Takes::Fixed(3, &[Kind::Int, Kind::Int, Kind::Int]),
        |_, _| Ok(DataType::Utf8),
        Nulls::Never,
        health_status,
    ),
    Function::new(
        "z_score",
        Takes::Fixed(3, &[Kind::Double, Kind::Double, Kind::Double]),
        |_, _| Ok(DataType::Float64),
        Nulls::Maybe,
        z_score,
    ),
    Function::new(
        "error_trend",
        Takes::Fixed(2, &[Kind::Double, Kind::Double, Kind::Double]),
        |_, _| Ok(DataType::Utf8),
        Nulls::Never,
        error_trend,
    ),
];

fn health_status(call: &Call) -> Result<ArrayRef> {
    let (critical, errors, total) = (call.ints(0)?, call.ints(1)?, call.ints(2)?);
    call.slices(|row| {
        let (critical, errors) = (critical.get(row), errors.get(row));
        let rate = match (critical, errors, total.get(row)) {
            (Some(critical), Some(errors), Some(total)) => {
                Some((i128::from(critical) + i128::from(errors)) as f64 / total as f64)
            }
            _ => None,
        };
        Ok(Some(if critical > Some(0) {
            "CRITICAL"
        } else if rate.is_some_and(|rate| rate > 0.1) {
            "DEGRADED"
        } else if errors > Some(0) {
            "WARNING"
        } else {
            "HEALTHY"
        }))
    })
}

fn z_score(call: &Call) -> Result<ArrayRef> {
    let (value, mean, deviation) = (call.doubles(0)?, call.doubles(1)?, call.doubles(2)?);
    call.values::<Float64Type>(|row| {
        Ok(match (value.get(row), mean.get(row), deviation.get(row)) {
            (Some(value), Some(mean), Some(deviation)) if deviation != 0.0 => {
                Some((value - mean) / deviation)
            }
            _ => None,
        })
    })
}

/// What counts as a change of ERROR_TREND where no threshold is given: 10, so percentage points of rates in percent.
const THRESHOLD: f64 = 10.0;

fn error_trend(call: &Call) -> Result<ArrayRef> {
    let (rate, previous) = (call.doubles(0)?, call.doubles(1)?);
    let threshold = match call.len() {
        2 => None,
        _ => Some(call.doubles(2)?),
    };
    call.slices(|row| {
        let (Some(rate), Some(previous)) = (rate.get(row), previous.get(row)) else {
            return Ok(Some("NO_BASELINE"));
        };
        let change = round_double(rate - previous, 2);
        let threshold = match threshold {
            None => Some(THRESHOLD),
            Some(column) => column.get(row),
        };
        Ok(Some(match threshold {
            Some(threshold) if change >= threshold => "SPIKE",
            Some(threshold) if change <= -threshold => "IMPROVING",
            _ => "STABLE",
        }))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use crate::sql_tests::run;

    /// A VALUES list of rows of so many columns, each drawn from the given ones.
    fn rows_of(values: &[&str], columns: usize, count: usize) -> String {
        let mut random = fastrand::Rng::with_seed(11);
        let rows: Vec<String> = (0..count)
            .map(|_| {
                let row: Vec<&str> = (0..columns)
                    .map(|_| values[random.usize(..values.len())])
                    .collect();
                format!("({})", row.join(", "))
            })
            .collect();
        rows.join(", ")
    }

    /// Both expressions give the same on every row, and more than one result.
    fn same(short: &str, plain: &str, values: &[&str], columns: usize) {
        let rows = rows_of(values, columns, 400);
        let sql = format!(
            "SELECT count(*) FILTER (WHERE {short} IS DISTINCT FROM {plain}), count(DISTINCT {short}) \
             FROM (SELECT {} FROM (VALUES {rows}))",
            (1..=columns)
                .map(|c| format!("arrow_cast(column{c}, 'Float64') AS x{c}, arrow_cast(column{c}, 'Int64') AS n{c}"))
                .collect::<Vec<_>>()
                .join(", ")
        );
        let result = run(&sql).unwrap();
        let [row] = result.as_slice() else {
            panic!("one row: {result:?}")
        };
        let (differ, results) = row.split_once(' ').unwrap();
        assert_eq!(differ, "0", "{short}");
        assert!(results.parse::<i32>().unwrap() > 2, "{short}: {results}");
    }

    #[test]
    fn each_equals_its_plain_sql() {
        let counts = [
            "0", "0", "0", "1", "2", "9", "10", "11", "100", "1000", "NULL",
        ];
        // 0 / 0 is left out: DataFusion takes NaN for larger than any number, Flink does not.
        same(
            "health_status(n1, n2, n3 + 1)",
            "CASE WHEN n1 > 0 THEN 'CRITICAL' WHEN CAST(n1 + n2 AS DOUBLE) / CAST(n3 + 1 AS DOUBLE) > 0.1e0 \
             THEN 'DEGRADED' WHEN n2 > 0 THEN 'WARNING' ELSE 'HEALTHY' END",
            &counts,
            3,
        );
        let rates = [
            "0.0", "0.5", "10.1", "20.1", "10.0", "19.999", "30.3", "20.3", "100.0", "NULL",
        ];
        same(
            "z_score(x1, x2, x3)",
            "CASE WHEN x3 <> 0 THEN (x1 - x2) / x3 END",
            &rates,
            3,
        );
        same(
            "error_trend(x1, x2)",
            "CASE WHEN ROUND(x1 - x2, 2) IS NULL THEN 'NO_BASELINE' WHEN ROUND(x1 - x2, 2) >= 10 THEN 'SPIKE' \
             WHEN ROUND(x1 - x2, 2) <= -10 THEN 'IMPROVING' ELSE 'STABLE' END",
            &rates,
            2,
        );
        same(
            "error_trend(x1, x2, x3)",
            "CASE WHEN ROUND(x1 - x2, 2) IS NULL THEN 'NO_BASELINE' WHEN ROUND(x1 - x2, 2) >= x3 THEN 'SPIKE' \
             WHEN ROUND(x1 - x2, 2) <= -x3 THEN 'IMPROVING' ELSE 'STABLE' END",
            &rates,
            3,
        );
    }

    #[test]
    fn by_example() {
        for (sql, expected) in [
            ("health_status(1, 0, 1000)", "CRITICAL"),
            ("health_status(0, 101, 1000)", "DEGRADED"),
            ("health_status(0, 100, 1000)", "WARNING"),
            (
                "health_status(0, 0, 1000), health_status(0, 0, 0)",
                "HEALTHY HEALTHY",
            ),
            ("health_status(NULL, NULL, NULL)", "HEALTHY"),
            (
                "z_score(7, 4, 1.5), z_score(7, 4, 0), z_score(7, 4, NULL)",
                "2.0 NULL NULL",
            ),
            (
                "error_trend(20.1, 10.1), error_trend(20, 10.1)",
                "SPIKE STABLE",
            ),
            (
                "error_trend(5, 15), error_trend(5, NULL)",
                "IMPROVING NO_BASELINE",
            ),
            (
                "error_trend(0.4, 0.3, 0.05), error_trend(NULL, 1)",
                "SPIKE NO_BASELINE",
            ),
        ] {
            assert_eq!(run(&format!("SELECT {sql}")).unwrap(), [expected], "{sql}");
        }
    }
}
