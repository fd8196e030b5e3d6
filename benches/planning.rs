//! How long a file takes from its text to the dataflow: parsed, bound, optimised and lowered.
//!
//! `cargo bench --bench planning`: takes a few seconds and writes the table of BENCHMARKS.md to stdout.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::path::Path;
use std::time::{Duration, Instant};

use flowline::session::{Session, SessionConfig};
use flowline::sql::{SourceFile, parse_script};

const RUNS: usize = 20;

/// The Nexmark queries as the tests have them, and the numbered files.
fn text() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let nexmark = root.join("tests/cases/nexmark");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let mut text = read(&nexmark.join("tables.sql"));
    let mut queries: Vec<_> = std::fs::read_dir(&nexmark)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("case.sql"))
        // Session windows by GROUP BY are refused.
        .filter(|path| path.exists() && !path.parent().unwrap().ends_with("q11"))
        .collect();
    queries.sort();
    for path in queries {
        text += &read(&path);
    }
    for file in [
        "01_source_table_cloudevents",
        "02_events_aggregated_5min",
        "03_system_health_5min",
        "04_top_error_sources",
        "05_correlated_incidents",
    ] {
        text += &read(&root.join("sql").join(file).with_extension("sql"));
    }
    text
}

fn planned(text: &str) -> (usize, Duration) {
    let begin = Instant::now();
    let mut session = Session::new(SessionConfig::default());
    session.load(&SourceFile::new("file.sql", text)).unwrap();
    let nodes = session.graph().unwrap().nodes.len();
    (nodes, begin.elapsed())
}

fn main() {
    let text = text();
    let statements = parse_script(&SourceFile::new("file.sql", &text))
        .unwrap()
        .statements
        .len();
    let (nodes, first) = planned(&text);
    let mut times: Vec<Duration> = (0..RUNS).map(|_| planned(&text).1).collect();
    times.sort();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("| statements | nodes of the dataflow | first time | minimum of {RUNS} | median |");
    println!("|---|---|---|---|---|");
    println!(
        "| {statements} | {nodes} | {:.1} ms | {:.1} ms | {:.1} ms |",
        millis(first),
        millis(times[0]),
        millis(times[RUNS / 2])
    );
}
