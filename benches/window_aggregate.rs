//! `sql/02` over JSON lines, per source and 5 minutes, beside DataFusion's own batch answer over the same file in the same
//! run: CPU seconds per million events (user + system, whole process, marginal between two sizes) and peak memory.
//!
//! `cargo bench --bench window_aggregate`: takes about two minutes and writes the table of BENCHMARKS.md to stdout.
//! EVENTS=2000000 sets the larger size, ROUNDS=3 the number of runs of which the minimum counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::prelude::{JsonReadOptions, SessionConfig, SessionContext};

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
    let mut cpu = [[f64::MAX; 2]; 2];
    let mut peak = [[0u64; 2]; 2];
    for _ in 0..rounds {
        for (s, file) in files.iter().enumerate() {
            let (seconds, memory) = measure(flowline_job(file, &dir));
            cpu[0][s] = cpu[0][s].min(seconds);
            peak[0][s] = peak[0][s].max(memory);
            let mut batch = Command::new(std::env::current_exe().unwrap());
            batch.arg("--datafusion").arg(file);
            let (seconds, memory) = measure(batch);
            cpu[1][s] = cpu[1][s].min(seconds);
            peak[1][s] = peak[1][s].max(memory);
        }
    }
    let millions = (sizes[1] - sizes[0]) as f64 / 1e6;
    let marginal: Vec<f64> = cpu.iter().map(|c| (c[1] - c[0]) / millions).collect();
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
            marginal[i],
            peak[i][0] >> 10,
            peak[i][1] >> 10
        );
    }
    println!("\nflowline / DataFusion: {:.2}", marginal[0] / marginal[1]);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
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

fn run(command: &mut Command) {
    let output = command.stdout(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// CPU seconds and peak memory (KiB) of a whole process.
fn measure(mut command: Command) -> (f64, u64) {
    let before = children_cpu();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let code = loop {
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|l| l.starts_with("VmHWM:"))
        {
            peak = line
                .split_whitespace()
                .nth(1)
                .and_then(|n| n.parse().ok())
                .unwrap_or(peak);
        }
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(code.success(), "{command:?}");
    (children_cpu() - before, peak)
}

fn children_cpu() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
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
