//! `sql/02` over JSON lines, per source and 5 minutes, beside DataFusion's own batch answer over the same file in the same
//! run: CPU seconds per million events (user + system, whole process, marginal between two sizes) and peak memory.
//!
//! `cargo bench --bench window_aggregate`: takes about two minutes and writes the table of BENCHMARKS.md to stdout.
//! EVENTS=2000000 sets the larger size, ROUNDS=3 the number of runs of which the minimum counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod measure;

use std::path::{Path, PathBuf};
use std::process::Command;

use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::prelude::{JsonReadOptions, SessionConfig, SessionContext};
use measure::{env, in_turn, marginal, run};

/// The query of sql/02 in DataFusion's words.
const QUERY: &str = "SELECT date_bin(INTERVAL '5 minutes', \"time\") AS window_start, COALESCE(source, 'unknown') AS source,
    COUNT(*) AS event_count,
    COUNT(*) FILTER (WHERE severity = 'critical') AS critical_count,
    COUNT(*) FILTER (WHERE severity = 'error') AS error_count,
    COUNT(*) FILTER (WHERE severity = 'warning') AS warning_count,
    COUNT(*) FILTER (WHERE severity = 'info') AS info_count
  FROM events GROUP BY date_bin(INTERVAL '5 minutes', \"time\"), COALESCE(source, 'unknown')";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--datafusion") {
        return datafusion(Path::new(&args[at + 1]));
    }
    let events = env("EVENTS", 2_000_000);
    let rounds = env("ROUNDS", 3);
    let dir = std::env::temp_dir().join(format!("flowline-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let sizes = [events / 4, events];
    let files: Vec<PathBuf> = sizes
        .iter()
        .map(|n| {
            let file = dir.join(format!("events-{n}.jsonl"));
            run(flowline()
                .args(["generate", "--seed", "7", "--rows", &n.to_string(), "--to"])
                .arg(&file));
            file
        })
        .collect();
    let bytes = std::fs::metadata(&files[1]).unwrap().len() / events;
    let mut jobs: Vec<Command> = files.iter().map(|f| flowline_job(f, &dir)).collect();
    for file in &files {
        let mut batch = Command::new(std::env::current_exe().unwrap());
        batch.arg("--datafusion").arg(file);
        jobs.push(batch);
    }
    let taken = in_turn(&mut jobs, rounds);
    let ways: Vec<_> = taken.chunks(2).collect();
    let cpu: Vec<f64> = ways
        .iter()
        .map(|of| marginal((sizes[0], of[0]), (sizes[1], of[1])))
        .collect();
    println!("{events} events of {bytes} bytes, minimum of {rounds} runs, one instance each\n");
    println!(
        "| | CPU s per million events | peak memory, {} events | peak memory, {} events |",
        sizes[0], sizes[1]
    );
    println!("|---|---|---|---|");
    for (i, name) in [
        "flowline run (sql/01, sql/02)",
        "DataFusion, batch, the same file",
    ]
    .iter()
    .enumerate()
    {
        println!(
            "| {name} | {:.3} | {} MB | {} MB |",
            cpu[i],
            ways[i][0].peak >> 10,
            ways[i][1].peak >> 10
        );
    }
    println!("\nflowline / DataFusion: {:.2}", cpu[0] / cpu[1]);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn flowline() -> Command {
    Command::new(env!("CARGO_BIN_EXE_flowline"))
}

fn flowline_job(events: &Path, dir: &Path) -> Command {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut job = flowline();
    job.arg("run")
        .args([
            sql.join("01_source_table_cloudevents.sql"),
            sql.join("02_events_aggregated_5min.sql"),
        ])
        .args([
            "--parallelism",
            "1",
            "--source",
            &format!("cloudevents={}", events.display()),
            "--capture",
        ])
        .arg(dir.join("out"));
    job
}

/// DataFusion's answer: what a process of its own takes for it is measured from outside.
fn datafusion(file: &Path) {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let schema = Schema::new(vec![
        text("source"),
        text("severity"),
        Field::new(
            "time",
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            true,
        ),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        let options = JsonReadOptions::default()
            .schema(&schema)
            .file_extension("jsonl");
        context
            .register_json("events", file.to_str().unwrap(), options)
            .await
            .unwrap();
        let rows = context.sql(QUERY).await.unwrap().collect().await.unwrap();
        println!("{}", rows.iter().map(|b| b.num_rows()).sum::<usize>());
    });
}
