//! Unbounded aggregates over evenly drawn keys, and overlapping windows, from CSV, one instance: CPU seconds per million rows (user
//! + system, whole process, marginal between two sizes) and memory per key.
//!
//! `cargo bench --bench groups`: takes some minutes and writes the table of BENCHMARKS.md to stdout.
//! KEYS=1000000 keys; ROWS=6000000 sets the larger size (the smaller is a third of it); ROUNDS=3 the number of runs of which the
//! minimum counts; AGAINST=/path/to/flowline another binary that is measured in turn with this one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod measure;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use measure::{binaries, env, in_turn, marginal};

const AGGREGATES: &[&str] = &[
    "COUNT(*)",
    "SUM(v)",
    "COUNT(*), SUM(v)",
    "COUNT(*), SUM(v), MIN(v), MAX(v)",
];

/// What memory is compared with: the same rows over so few keys that they do not count.
const FEW: u64 = 1000;

fn main() {
    let (keys, rows, rounds) = (
        env("KEYS", 1_000_000),
        env("ROWS", 6_000_000),
        env("ROUNDS", 3),
    );
    let dir = std::env::temp_dir().join(format!("flowline-groups-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let sizes = [rows / 3, rows];
    assert!(sizes[0] >= keys, "every key comes in both sizes");
    let files = sizes.map(|n| write_rows(n, keys, &dir));
    println!("{rows} rows over {keys} keys, minimum of {rounds} runs, one instance\n");
    let mut head = "| aggregates | CPU s per million rows | bytes per key |".to_string();
    if binaries().len() > 1 {
        head.push_str(" the other | its bytes per key | this / the other |");
    }
    println!("{head}\n|{}", "---|".repeat(head.matches('|').count() - 1));
    for aggregates in AGGREGATES {
        let mut jobs: Vec<Command> = Vec::new();
        for binary in binaries() {
            jobs.push(job(&binary, &files[0], "k", aggregates));
            jobs.push(job(&binary, &files[1], "k", aggregates));
            jobs.push(job(
                &binary,
                &files[1],
                &format!("MOD(k, {FEW})"),
                aggregates,
            ));
        }
        let taken = in_turn(&mut jobs, rounds);
        let mut row = format!("| {aggregates} |");
        let mut cpu = Vec::new();
        for of_binary in taken.chunks(3) {
            let seconds = marginal((sizes[0], of_binary[0]), (sizes[1], of_binary[1]));
            let memory = of_binary[1].peak.saturating_sub(of_binary[2].peak) << 10;
            row.push_str(&format!(" {seconds:.3} | {} |", memory / keys));
            cpu.push(seconds);
        }
        if let [this, other] = cpu[..] {
            row.push_str(&format!(" {:.2} |", this / other));
        }
        println!("{row}");
    }
    println!();
    windows(rows, rounds, &dir);
    std::fs::remove_dir_all(&dir).unwrap();
}

/// Windows that begin every second, alone or an hour long, over 100 keys and 1,000 rows a second.
fn windows(rows: u64, rounds: u64, dir: &Path) {
    let sizes = [rows / 3, rows];
    let files = sizes.map(|n| write_times(n, dir));
    let second = "INTERVAL '1' SECOND";
    let kinds = [
        ("TUMBLE of 1 s", "TUMBLE", second.to_string()),
        (
            "HOP of 1 s over 1 hour",
            "HOP",
            format!("{second}, INTERVAL '1' HOUR"),
        ),
    ];
    println!("| windows | CPU s per million rows |\n|---|---|");
    for (name, function, lengths) in kinds {
        let mut jobs = files.each_ref().map(|file| {
            let sql = format!(
                "CREATE TABLE input (k BIGINT, v BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
                   WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'csv');
                 CREATE TABLE output (k BIGINT, window_end TIMESTAMP(3), n BIGINT, s BIGINT) WITH ('connector' = 'blackhole');
                 INSERT INTO output SELECT k, window_end, COUNT(*), SUM(v)
                   FROM TABLE({function}(TABLE input, DESCRIPTOR(ts), {lengths})) GROUP BY k, window_start, window_end;",
                file.display()
            );
            run_sql(&binaries()[0], &sql)
        });
        let taken = in_turn(&mut jobs, rounds);
        let seconds = marginal((sizes[0], taken[0]), (sizes[1], taken[1]));
        println!("| {name} | {seconds:.3} |");
    }
}

/// Rows of a key, a number and a time, 1,000 of them a second.
fn write_times(rows: u64, dir: &Path) -> PathBuf {
    let file = dir.join(format!("times-{rows}.csv"));
    let mut out = BufWriter::new(std::fs::File::create(&file).unwrap());
    let mut random = fastrand::Rng::with_seed(7);
    for i in 0..rows {
        let (millis, second) = (i % 1000, i / 1000);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let (key, number, second) = (random.u32(..100), random.u32(..1_000_000), second % 60);
        writeln!(
            out,
            "{key},{number},2025-01-01 {hour:02}:{minute:02}:{second:02}.{millis:03}"
        )
        .unwrap();
    }
    out.flush().unwrap();
    file
}

/// Rows of a key and a number; every key comes once, then they are drawn.
fn write_rows(rows: u64, keys: u64, dir: &Path) -> PathBuf {
    let file = dir.join(format!("rows-{rows}.csv"));
    let mut out = BufWriter::new(std::fs::File::create(&file).unwrap());
    let mut random = fastrand::Rng::with_seed(7);
    for i in 0..rows {
        let key = if i < keys { i } else { random.u64(..keys) };
        writeln!(out, "{key},{}", random.u32(..1_000_000)).unwrap();
    }
    out.flush().unwrap();
    file
}

fn job(binary: &Path, file: &Path, key: &str, aggregates: &str) -> Command {
    let columns: String = (0..aggregates.split(", ").count())
        .map(|i| format!(", a{i} BIGINT"))
        .collect();
    let sql = format!(
        "CREATE TABLE input (k BIGINT, v BIGINT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'csv');
         CREATE TABLE output (k BIGINT{columns}) WITH ('connector' = 'blackhole');
         INSERT INTO output SELECT k, {aggregates} FROM (SELECT {key} AS k, v FROM input) GROUP BY k;",
        file.display()
    );
    run_sql(binary, &sql)
}

fn run_sql(binary: &Path, sql: &str) -> Command {
    let mut job = Command::new(binary);
    job.args(["run", "-e", sql, "--parallelism", "1"]);
    job
}
