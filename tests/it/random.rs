//! Random queries over random changelogs: what a stream folds up to is what DataFusion's batch engine answers over the same
//! tables, at any parallelism, batch size and interleaving, and cut in two. `SEED=n` runs one query, `QUERIES=n` so many.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use fastrand::Rng;
use flowline::formats::{Encoded, json_row_encoder};
use flowline::sql::SourceFile;

use crate::harness::{Script, Variant, difference};

const QUERIES: u64 = 250;

#[test]
fn streams_fold_up_to_the_batch_answer() {
    let given = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seeds = match given("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..given("QUERIES").unwrap_or(QUERIES),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    for seed in seeds {
        if let Err(what) = runtime.block_on(check(seed, dir.path())) {
            failures.push(format!("SEED={seed}\n{what}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} failed\n{}",
        failures.len(),
        failures[..failures.len().min(4)].join("\n\n")
    );
}

async fn check(seed: u64, dir: &Path) -> Result<(), String> {
    let case = case(seed, dir).await?;
    let shown = format!("{}\n{:?}", case.query, case.variant);
    let got = case.script(1).run(case.variant).await;
    let got = got.map_err(|e| format!("{shown}\n{e}"))?;
    let rows = got.get("select_1").map_or(&[][..], Vec::as_slice);
    match difference(&case.expected, rows) {
        None => Ok(()),
        Some(diff) => Err(format!("{shown}\n{diff}")),
    }
}

/// A random query over random tables, and its answer.
pub struct Case {
    /// The query.
    pub query: String,
    /// The rows of its answer, as JSON.
    pub expected: Vec<String>,
    sources: BTreeMap<String, PathBuf>,
    variant: Variant,
}

impl Case {
    /// The query, so many times.
    pub fn script(&self, times: usize) -> Script {
        let queries = format!("{};\n", self.query).repeat(times);
        Script {
            text: format!("{}{queries}", declarations()),
            settings: Vec::new(),
            sources: self.sources.clone(),
        }
    }

    /// How it is run once.
    pub fn variant(&self) -> Variant {
        self.variant
    }
}

/// The query of a seed. Its tables are files in `dir`.
pub async fn case(seed: u64, dir: &Path) -> Result<Case, String> {
    let mut random = Rng::with_seed(seed);
    let mut sources = BTreeMap::new();
    for (table, is_updating) in TABLES {
        let path = dir.join(format!("{table}.jsonl"));
        std::fs::write(
            &path,
            if *is_updating {
                changelog(&mut random)
            } else {
                events(&mut random)
            },
        )
        .unwrap();
        sources.insert(table.to_string(), path);
    }
    let query = Query {
        random: &mut random,
    }
    .top();
    let variant = Variant {
        parallelism: random.usize(1..5),
        batch_rows: [1, 2, 7, 4096][random.usize(..4)],
        seed,
        cut: random
            .bool()
            .then(|| (random.usize(..12), random.usize(1..5))),
    };
    let shown = format!("{}\n{variant:?}", query.stream);
    let failed = |e: flowline::error::Error| format!("{shown}\n{e}");
    let declared = Script {
        text: declarations(),
        settings: Vec::new(),
        sources: sources.clone(),
    };
    let (session, _) = declared.session(variant, 1).map_err(failed)?;
    let file = SourceFile::new("batch.sql", format!("{};", query.batch));
    let answers = flowline::batch::run(&session, &file)
        .await
        .map_err(failed)?;
    let mut expected = Vec::new();
    for (_, schema, batches) in answers {
        let schema = plain(&schema);
        let mut encoder = json_row_encoder(Arc::clone(&schema));
        for batch in batches {
            let mut encoded = Encoded::default();
            let columns = batch.columns().iter().zip(schema.fields());
            let columns = columns
                .map(|(c, f)| cast(c, f.data_type()).unwrap())
                .collect();
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
            encoder.encode(&batch, &mut encoded).unwrap();
            expected.extend(
                encoded
                    .payloads()
                    .map(|p| String::from_utf8_lossy(p).into_owned()),
            );
        }
    }
    Ok(Case {
        query: query.stream,
        expected,
        sources,
        variant,
    })
}

/// The types that Flink has, in place of DataFusion's other ones.
fn plain(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| {
        let data_type = match f.data_type() {
            DataType::UInt64 => DataType::Int64,
            DataType::Utf8View => DataType::Utf8,
            other => other.clone(),
        };
        Field::new(f.name(), data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The tables, each with whether it is a changelog.
const TABLES: &[(&str, bool)] = &[("a", false), ("b", false), ("u", true), ("x", true)];

fn declarations() -> String {
    let mut text = String::new();
    for (table, is_updating) in TABLES {
        let (time, format) = if *is_updating {
            ("", "debezium-json")
        } else {
            (
                ", ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR",
                "json",
            )
        };
        writeln!(
            text,
            "CREATE TABLE {table} (id INT, k STRING, v INT, w INT{time}) WITH ('connector' = 'kafka', 'topic' = '{table}', \
             'properties.bootstrap.servers' = 'localhost:9092', 'scan.startup.mode' = 'earliest-offset', 'format' = '{format}');"
        )
        .unwrap();
    }
    text
}

/// A row: few keys and values, some NULL, so that everything meets.
fn row(random: &mut Rng, id: usize) -> String {
    let k = ["null", "\"p\"", "\"q\"", "\"r\"", "\"s\""][random.usize(..5)];
    let v = if random.u8(..8) == 0 {
        "null".to_string()
    } else {
        random.i32(-3..6).to_string()
    };
    format!("\"id\":{id},\"k\":{k},\"v\":{v},\"w\":{}", random.i32(0..3))
}

/// Rows a few seconds apart, out of order by less than the watermark allows; no two at the same time.
fn events(random: &mut Rng) -> String {
    let n = random.usize(..30);
    let mut times: Vec<i64> = (0..n as i64)
        .map(|i| i * 11_000 + random.i64(0..10_000))
        .collect();
    for _ in 0..n {
        let (i, j) = (random.usize(..n), random.usize(..n));
        times.swap(i, j);
    }
    let lines = times.iter().enumerate().map(|(id, t)| {
        let (minutes, seconds, millis) = (t / 60_000, t / 1000 % 60, t % 1000);
        format!(
            "{{{},\"ts\":\"2025-01-15 10:{minutes:02}:{seconds:02}.{millis:03}\"}}\n",
            row(random, id)
        )
    });
    lines.collect()
}

/// Creations, updates and deletions of rows that are there.
fn changelog(random: &mut Rng) -> String {
    let mut there: Vec<String> = Vec::new();
    let mut text = String::new();
    for id in 0..random.usize(..40) {
        match random.u8(..5) {
            0 | 1 if !there.is_empty() => {
                let old = there.swap_remove(random.usize(..there.len()));
                let new = row(random, id);
                writeln!(
                    text,
                    "{{\"before\":{{{old}}},\"after\":{{{new}}},\"op\":\"u\"}}"
                )
                .unwrap();
                there.push(new);
            }
            2 if !there.is_empty() => {
                let old = there.swap_remove(random.usize(..there.len()));
                writeln!(text, "{{\"before\":{{{old}}},\"after\":null,\"op\":\"d\"}}").unwrap();
            }
            _ => {
                let new = row(random, id);
                writeln!(text, "{{\"before\":null,\"after\":{{{new}}},\"op\":\"c\"}}").unwrap();
                there.push(new);
            }
        }
    }
    text
}

/// A query as it is run as a stream, and as DataFusion answers it over tables.
struct Pair {
    stream: String,
    batch: String,
}

struct Query<'a> {
    random: &'a mut Rng,
}

impl Query<'_> {
    fn pick<'b>(&mut self, from: &[&'b str]) -> &'b str {
        from[self.random.usize(..from.len())]
    }

    fn top(&mut self) -> Pair {
        if self.random.u8(..4) == 0 {
            return self.in_time();
        }
        let text = match self.random.u8(..6) {
            0 => self.two_levels(),
            1 => self.set_operation(),
            2 => self.aggregates(2),
            3 => self.over_any_order(),
            _ => {
                let depth = self.random.usize(1..4);
                format!("SELECT * FROM {}", self.relation(depth))
            }
        };
        Pair {
            batch: text.clone(),
            stream: text,
        }
    }

    /// Something with columns id, k, v, w to read from.
    fn relation(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.u8(..6) == 0 {
            let table = self.pick(&["a", "b", "u", "x"]);
            return format!("(SELECT id, k, v, w FROM {table})");
        }
        let text = match self.random.u8(..9) {
            0 => {
                let (inner, condition) = (self.relation(depth - 1), self.condition("t"));
                format!("SELECT id, k, v, w FROM {inner} AS t WHERE {condition}")
            }
            1 => {
                let inner = self.relation(depth - 1);
                let having = self.pick(&[
                    "",
                    " HAVING COUNT(*) > 1",
                    " HAVING SUM(v) > 2",
                    " HAVING MIN(w) = 0",
                ]);
                format!(
                    "SELECT MIN(id) AS id, k, SUM(v) AS v, CAST(COUNT(DISTINCT w) AS INT) AS w FROM {inner} AS t GROUP BY k{having}"
                )
            }
            2 => {
                let (left, right) = (self.relation(depth - 1), self.relation(depth - 1));
                let join = self.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
                let on = self.pick(&[
                    "l.k = r.k",
                    "l.v = r.w",
                    "l.k = r.k AND l.w = r.w",
                    "l.id = r.id AND l.v < r.v",
                    "l.k IS NOT DISTINCT FROM r.k",
                ]);
                format!("SELECT l.id, r.k, l.v, r.w FROM {left} AS l {join} {right} AS r ON {on}")
            }
            3 => {
                let (left, right) = (self.relation(depth - 1), self.relation(depth - 1));
                let test = self.pick(&[
                    "l.w IN (SELECT v FROM @ AS r)",
                    "l.k IN (SELECT k FROM @ AS r WHERE r.v > 0)",
                    "l.v NOT IN (SELECT v FROM @ AS r)",
                    "EXISTS (SELECT 1 FROM @ AS r WHERE r.k = l.k)",
                    "NOT EXISTS (SELECT 1 FROM @ AS r WHERE r.k = l.k AND r.v > 1)",
                ]);
                format!(
                    "SELECT l.id, l.k, l.v, l.w FROM {left} AS l WHERE {}",
                    test.replace('@', &right)
                )
            }
            4 | 5 => {
                let inner = self.relation(depth - 1);
                let order = self.pick(&["v DESC, id, w, k", "w, v, id, k", "id DESC, v, w, k"]);
                let limit = self.pick(&[
                    "rn <= 2",
                    "rn = 1",
                    "rn < 4",
                    "rn BETWEEN 2 AND 3",
                    "rn <= 3 AND v > 0",
                ]);
                let by = self.pick(&["PARTITION BY k ", "PARTITION BY w, k ", ""]);
                let w = self.pick(&["w", "w", "CAST(rn AS INT) AS w"]);
                let rank = self.pick(&["ROW_NUMBER", "ROW_NUMBER", "RANK", "DENSE_RANK"]);
                format!(
                    "SELECT id, k, v, {w} FROM (SELECT id, k, v, w, {rank}() OVER ({by}ORDER BY {order}) AS rn FROM {inner} AS t) WHERE {limit}"
                )
            }
            6 => {
                let (left, right) = (self.relation(depth - 1), self.relation(depth - 1));
                let all = self.pick(&["UNION ALL", "UNION"]);
                format!(
                    "SELECT id, k, v, w FROM {left} AS l {all} SELECT id, k, v, w FROM {right} AS r"
                )
            }
            7 => {
                let inner = self.relation(depth - 1);
                format!("SELECT DISTINCT w AS id, k, v, w FROM {inner} AS t")
            }
            _ => {
                let inner = self.relation(depth - 1);
                format!("SELECT id, k, -v AS v, w + 1 AS w FROM {inner} AS t")
            }
        };
        format!("({text})")
    }

    fn condition(&mut self, t: &str) -> String {
        self.pick(&[
            "$.v > 0",
            "$.k = 'p'",
            "$.k <> 'q' AND $.w < 2",
            "$.v IS NULL OR $.w = 1",
            "$.id % 2 = 0",
            "NOT ($.v > $.w)",
        ])
        .replace('$', t)
    }

    fn aggregates(&mut self, depth: usize) -> String {
        let inner = self.relation(depth);
        let by = self.pick(&["k", "w", "k, w", "v % 2"]);
        format!(
            "SELECT {by}, COUNT(*) AS n, COUNT(v) AS nv, SUM(v) AS s, MIN(v) AS mi, MAX(id) AS ma, AVG(CAST(v AS DOUBLE)) AS av, \
             COUNT(DISTINCT v) AS dv, SUM(w) FILTER (WHERE v > 0) AS fw, MAX(k) AS mk FROM {inner} AS t GROUP BY {by}"
        )
    }

    fn two_levels(&mut self) -> String {
        let inner = self.relation(2);
        let outer = self.pick(&[
            "COUNT(*) AS x, SUM(s) AS y",
            "MAX(n) AS x, MIN(s) AS y",
            "COUNT(DISTINCT s) AS x, SUM(n) AS y",
        ]);
        format!(
            "SELECT m, {outer} FROM (SELECT k, COUNT(*) AS n, SUM(v) AS s, MAX(w) AS m FROM {inner} AS t GROUP BY k) AS g GROUP BY m"
        )
    }

    fn set_operation(&mut self) -> String {
        let (left, right) = (self.relation(1), self.relation(2));
        let operation = self.pick(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
        format!("SELECT k, w FROM {left} AS l {operation} SELECT k, w FROM {right} AS r")
    }

    fn over_any_order(&mut self) -> String {
        let inner = self.relation(1);
        let calls = self.pick(&[
            "SUM(v) OVER (PARTITION BY k ORDER BY id, v, w ROWS UNBOUNDED PRECEDING) AS s",
            "COUNT(*) OVER (PARTITION BY w ORDER BY v) AS s",
            "LAG(v) OVER (PARTITION BY k ORDER BY id, v, w) AS s",
            "RANK() OVER (PARTITION BY k ORDER BY v) AS s, DENSE_RANK() OVER (PARTITION BY k ORDER BY v) AS d",
            "MAX(v) OVER (PARTITION BY w ORDER BY id DESC) AS s, MIN(v) OVER (PARTITION BY k) AS d",
        ]);
        format!("SELECT id, k, v, w, {calls} FROM {inner} AS t")
    }

    /// What waits for the watermark: windows, OVER and interval joins by event time.
    fn in_time(&mut self) -> Pair {
        let same = |text: String| Pair {
            batch: text.clone(),
            stream: text,
        };
        match self.random.u8(..6) {
            0 | 1 => {
                let table = self.pick(&["a", "b"]);
                let condition = self.condition(table);
                let by = self.pick(&["", "k, ", "w, "]);
                // Without DISTINCT overlapping windows are put together from slices.
                let select = self.pick(&[
                    "COUNT(*) AS n, SUM(v) AS s, MAX(v) AS m, COUNT(DISTINCT k) AS d",
                    "COUNT(*) AS n, SUM(v) AS s, MAX(v) AS m, AVG(w) AS d",
                ]);
                let overlapping = self.random.u8(1..6);
                let (windows, size) = match overlapping {
                    1 => ("TUMBLE", "INTERVAL '1' MINUTE".to_string()),
                    n => ("HOP", format!("INTERVAL '1' MINUTE, INTERVAL '{n}' MINUTE")),
                };
                let from = |back: u8| {
                    format!(
                        "SELECT k, v, w, FLOOR(ts TO MINUTE) - INTERVAL '{back}' MINUTE AS ws FROM {table} WHERE {condition}"
                    )
                };
                let all: Vec<String> = (0..overlapping).map(from).collect();
                Pair {
                    stream: format!(
                        "SELECT {by}window_start AS ws, {select} FROM TABLE({windows}(TABLE {table}, DESCRIPTOR(ts), {size})) AS {table} \
                         WHERE {condition} GROUP BY {by}window_start, window_end"
                    ),
                    batch: format!(
                        "SELECT {by}ws, {select} FROM ({}) AS t GROUP BY {by}ws",
                        all.join(" UNION ALL ")
                    ),
                }
            }
            2 => {
                let join = self.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
                let side = |table: &str, tvf: bool| {
                    if tvf {
                        format!(
                            "(SELECT * FROM TABLE(TUMBLE(TABLE {table}, DESCRIPTOR(ts), INTERVAL '1' MINUTE)))"
                        )
                    } else {
                        format!(
                            "(SELECT *, FLOOR(ts TO MINUTE) AS window_start, FLOOR(ts TO MINUTE) AS window_end FROM {table})"
                        )
                    }
                };
                let text = |tvf: bool| {
                    format!(
                        "SELECT l.id, r.id AS rid, l.v, r.w FROM {} AS l {join} {} AS r ON l.k = r.k AND l.window_start = r.window_start \
                     AND l.window_end = r.window_end",
                        side("a", tvf),
                        side("b", tvf)
                    )
                };
                Pair {
                    stream: text(true),
                    batch: text(false),
                }
            }
            3 => {
                let join = self.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
                let bounds = self.pick(&[
                    "l.ts BETWEEN r.ts - INTERVAL '30' SECOND AND r.ts + INTERVAL '1' MINUTE",
                    "l.ts >= r.ts AND l.ts < r.ts + INTERVAL '45' SECOND",
                    "r.ts BETWEEN l.ts - INTERVAL '20' SECOND AND l.ts + INTERVAL '5' SECOND AND l.w <= r.w",
                ]);
                same(format!(
                    "SELECT l.id, r.id AS rid, l.v, r.w FROM a AS l {join} b AS r ON l.k = r.k AND {bounds}"
                ))
            }
            4 => {
                let limit = self.random.u8(1..4);
                let order = self.pick(&["v DESC, id", "w, id DESC"]);
                let text = |from: &str, window: &str| {
                    format!(
                        "SELECT id, k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {window}, k ORDER BY {order}) AS rn FROM {from}) WHERE rn <= {limit}"
                    )
                };
                Pair {
                    stream: text(
                        "TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
                        "window_start, window_end",
                    ),
                    batch: text("a", "FLOOR(ts TO MINUTE)"),
                }
            }
            _ => {
                let table = self.pick(&["a", "b"]);
                let frame = self.pick(&[
                    "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
                    "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
                    "RANGE BETWEEN INTERVAL '30' SECOND PRECEDING AND CURRENT ROW",
                    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
                ]);
                let by = self.pick(&["PARTITION BY k ", "PARTITION BY w ", ""]);
                same(format!(
                    "SELECT id, k, SUM(v) OVER f AS s, COUNT(*) OVER f AS n, MIN(v) OVER f AS mi, MAX(v) OVER f AS ma, \
                     LAG(w) OVER ({by}ORDER BY ts) AS l FROM {table} WINDOW f AS ({by}ORDER BY ts {frame})"
                ))
            }
        }
    }
}
