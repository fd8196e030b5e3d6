//! What whoever operates a job on a real broker counts on: what it promises, says, refuses, and how it ends.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::process::{Command, Output};

use serde_json::json;

use crate::kafka::{Case, TABLE, column, numbers};
use crate::recovery::{created, words};

/// A verb over the case's file, with its broker.
fn over_file(case: &Case, verb: &str, sql: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowline"))
        .arg(verb)
        .arg(case.sql(sql))
        .args(["--kafka", &case.bootstrap()])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn rows_of_aborted_transactions_are_not_read() {
    let case = Case::new("aborted", 1);
    let row = |a: i64| json!({"value": {"a": a, "b": "x"}, "partition": 0});
    case.produce(&[row(1)]);
    case.abort(&[row(2)]);
    case.produce(&[row(3)]);
    let table = format!(
        "{TABLE}, 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'"
    );
    let read = |options: &str| {
        let sql = format!("{table}{options}); SELECT a FROM t;");
        column(&case.rows(&sql, &[]), "a")
    };
    assert_eq!(read(""), [1, 3]);
    // Flink's default.
    let uncommitted = ", 'properties.isolation.level' = 'read_uncommitted'";
    assert_eq!(read(uncommitted), [1, 2, 3]);
    let sql = format!("{table}); SELECT COUNT(*) AS n FROM t;");
    let counted = over_file(&case, "query", &sql, &["--output", "jsonl"]);
    assert_eq!(words(&counted.stdout), r#"{"n":2}"#);
}

/// Whoever reads what the same job writes counts twice what comes twice.
#[test]
fn a_job_that_reads_what_it_writes_at_least_once_is_warned() {
    let case = Case::new("warned", 1);
    let between = created("warned_between");
    let sql = |options: &str| {
        format!(
            "{TABLE}, 'scan.startup.mode' = 'earliest-offset');
             CREATE TABLE m (n INT) WITH ('connector' = 'kafka', 'topic' = '{between}', 'format' = 'json',
               'properties.bootstrap.servers' = 'elsewhere:1', 'scan.startup.mode' = 'earliest-offset'{options});
             CREATE TABLE o (s INT) WITH ('connector' = 'blackhole');
             INSERT INTO m SELECT a FROM t;
             INSERT INTO o SELECT SUM(n) FROM m;"
        )
    };
    case.produce(
        &numbers(0..1)
            .into_iter()
            .map(|mut r| {
                r["partition"] = json!(0);
                r
            })
            .collect::<Vec<_>>(),
    );
    let warning =
        "'m' is written at least once and read by this job: after a failure its rows come twice";
    let explained = over_file(&case, "explain", &sql(""), &[]);
    assert!(
        words(&explained.stdout).contains(warning),
        "{}",
        words(&explained.stdout)
    );
    let run = case.run(&sql(""), &["--bounded"]);
    assert!(
        words(&run.stderr).contains(warning),
        "{}",
        words(&run.stderr)
    );
    let exactly =
        ", 'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'x'";
    let explained = over_file(&case, "explain", &sql(exactly), &[]);
    assert!(!words(&explained.stdout).contains("after a failure"));
}

/// As it is shipped, the pipeline gives each row once whatever happens.
#[test]
fn the_pipeline_is_exactly_once_from_topic_to_topic() {
    let explained = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(["explain", "sql/"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = words(&explained.stdout);
    assert!(explained.status.success(), "{}", words(&explained.stderr));
    assert!(said.contains("exactly once"), "{said}");
    assert!(!said.contains("at least once"), "{said}");
}
