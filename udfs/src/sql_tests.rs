//! The functions inside DataFusion: registered, planned, constants folded, aggregated in parts and merged.

use datafusion::arrow::array::{Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use std::sync::Arc;

use crate::testing::text_of;

/// A table `t` of the numbers below 100 in four parts: `k` their last digit, `v` NULL where it is 9.
fn context() -> Result<SessionContext> {
    let config = SessionConfig::new().with_target_partitions(4);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .build();
    let context = SessionContext::new_with_state(state);
    for f in crate::scalar_functions() {
        context.register_udf(f.as_ref().clone());
    }
    for f in crate::aggregate_functions() {
        context.register_udaf(f.as_ref().clone());
    }
    for f in crate::window_functions() {
        context.register_udwf(f.as_ref().clone());
    }
    let schema = Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int32, false),
        Field::new("v", DataType::Int32, true),
        Field::new("s", DataType::Utf8, true),
    ]));
    let part = |from: i32| -> Result<Vec<RecordBatch>> {
        let numbers = || from..from + 25;
        let k = Int32Array::from_iter_values(numbers().map(|n| n % 10));
        let v = Int32Array::from_iter(numbers().map(|n| (n % 10 != 9).then_some(n)));
        let s = StringArray::from_iter(numbers().map(|n| (n % 10 != 9).then(|| format!("n,{n}"))));
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![Arc::new(k), Arc::new(v), Arc::new(s)],
        )?;
        Ok(vec![batch])
    };
    let parts = (0..4).map(|i| part(i * 25)).collect::<Result<Vec<_>>>()?;
    context.register_table("t", Arc::new(MemTable::try_new(schema, parts)?))?;
    Ok(context)
}

/// The rows of a query, as text.
pub(crate) fn run(sql: &str) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    runtime.block_on(async {
        let batches = context()?.sql(sql).await?.collect().await?;
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let values = batch
                    .columns()
                    .iter()
                    .map(|column| Ok(text_of(&ScalarValue::try_from_array(column, row)?)))
                    .collect::<Result<Vec<_>>>()?;
                rows.push(values.join(" "));
            }
        }
        Ok(rows)
    })
}

/// The values of expressions of one row, of `t` where `v` is 7, as text.
pub(crate) fn value_of(sql: &str) -> String {
    match run(&format!("SELECT {sql} FROM t WHERE v = 7")) {
        Ok(rows) => rows.join(" / "),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn aggregates() {
    let rows = run(
        "SELECT k, sum(v), avg(v), sum(DISTINCT v % 3), sum(v) FILTER (WHERE v > 50), \
                    avg(arrow_cast(v, 'Decimal128(10, 2)')) \
                    FROM t WHERE k IN (1, 9) GROUP BY k ORDER BY k",
    )
    .unwrap();
    assert_eq!(
        rows,
        ["1 460 46 3 355 46.000000", "9 NULL NULL NULL NULL NULL"]
    );
    let rows =
        run("SELECT sum(v), avg(v), sum(arrow_cast(v, 'Int8')) FROM t WHERE v < 15").unwrap();
    assert_eq!(rows, ["96 6 96"]);
    let rows = run(
        "SELECT sum(v) OVER (ORDER BY v ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) \
                    FROM t WHERE v < 3 ORDER BY 1",
    )
    .unwrap();
    assert_eq!(rows, ["0", "1", "3"]);
    let rows = run("SELECT sum(arrow_cast(v, 'Int8')), min(v), max(v) FROM t").unwrap();
    assert_eq!(rows, ["58 0 98"]);
}

#[test]
fn windows() {
    let rows = run(
        "SELECT v, lag(v) OVER w, lag(v, 2, -1) OVER w, stddev_samp(v) OVER (ORDER BY v ROWS 1 PRECEDING) \
                    FROM t WHERE v < 4 WINDOW w AS (ORDER BY v) ORDER BY v",
    )
    .unwrap();
    assert_eq!(rows, ["0 NULL -1 NULL", "1 0 -1 0", "2 1 0 0", "3 2 1 0"]);
    assert!(crate::window_functions().iter().any(|f| f.name() == "lag"));
}

#[test]
fn scalars() {
    let table = [
        (
            "concat('a', s), split_index(s, ',', 1), char_length(s)",
            "an,7 7 3",
        ),
        ("greatest(v, 3, 9)", "9"),
        (
            "round(2.5), round(v / 2.0, 1), floor(1.5), ceil(v)",
            "3.0 3.5 1.0 7",
        ),
        (
            "timestampdiff('DAY', to_date('2024-01-01'), to_date('2024-03-01'))",
            "60",
        ),
        (
            "date_format(to_timestamp('2024-01-02 03:04:05'), 'yyyyMMdd')",
            "20240102",
        ),
        (
            "floor(to_timestamp('2024-01-02 03:04:05'), 'HOUR')",
            "2024-01-02 03:00:00.000",
        ),
        (
            "year(to_timestamp_ltz(1705276800123, 3)), extract('DOY', to_date('2024-02-01'))",
            "2024 32",
        ),
        (
            "concat('a', NULL), concat_ws('-', 'a', NULL, 'b')",
            "NULL a-b",
        ),
        (
            "CASE WHEN now() IS NULL THEN 1 ELSE unix_timestamp() / 10000000000 END",
            "0",
        ),
    ];
    for (sql, expected) in table {
        let rows = run(&format!("SELECT {sql} FROM t WHERE v = 7")).unwrap();
        assert_eq!(rows, [expected], "{sql}");
    }
}
