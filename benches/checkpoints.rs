//! What checkpoints cost: windows, whose state is small, and an unbounded aggregation with about 100 MB of state that changes
//! all over, without checkpoints and with one every 10 s and every second; how large and how long checkpoints are; and how soon
//! a job that was killed gives new results.
//!
//! `cargo bench --bench checkpoints`: takes about five minutes and writes the tables of BENCHMARKS.md to stdout.
//! ROWS=6000000 rows over KEYS=1000000 keys, ROUNDS=3 runs of which the minimum counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() {
    let (rows, keys, rounds) = (
        env("ROWS", 6_000_000),
        env("KEYS", 1_000_000),
        env("ROUNDS", 3),
    );
    let dir = std::env::temp_dir().join(format!("flowline-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let input = dir.join("input.csv");
    let size = write_input(&input, rows, keys);
    println!(
        "{rows} rows ({} MB of CSV) over {keys} keys, minimum of {rounds} runs, one instance\n",
        size >> 20
    );

    for (name, sql) in [
        ("windows", WINDOWS),
        ("100 MB that change all over", TOTALS),
    ] {
        table(&dir, &input, rows, rounds, name, sql);
    }

    let mut restarts = Vec::new();
    let mut state = 0;
    for _ in 0..rounds {
        let (millis, bytes) = restart(&dir, &input);
        restarts.push(millis);
        state = bytes;
    }
    restarts.sort_unstable();
    println!(
        "\nFrom the start of a killed job to its first new result, with {} MB of state: {} ms (of {} runs: {})",
        state >> 20,
        restarts[0],
        restarts.len(),
        restarts
            .iter()
            .map(u128::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

/// Per key, for ever.
const TOTALS: &str = "SELECT k, COUNT(*), SUM(v), MAX(t) FROM input GROUP BY k";

/// Per minute of event time (60,000 rows) and a thousand keys.
const WINDOWS: &str = "SELECT k, COUNT(*), SUM(v), MAX(t) FROM TUMBLE(TABLE few, DESCRIPTOR(ts), INTERVAL '1' MINUTE) \
    GROUP BY window_start, window_end, k";

fn table(dir: &Path, input: &Path, rows: u64, rounds: u64, name: &str, sql: &str) {
    let ways = [None, Some("10 s"), Some("1 s")];
    let mut best = [(); 3].map(|()| (f64::MAX, f64::MAX, String::new()));
    for _ in 0..rounds {
        for (way, best) in ways.iter().zip(&mut best) {
            let (wall, cpu, log) = throughput(dir, input, sql, *way);
            if cpu < best.1 {
                *best = (wall, cpu, log);
            }
        }
    }
    println!("\n{name}\n");
    println!(
        "| checkpoints | rows/s | CPU s | more CPU than without | bytes of state | new bytes of one, median | from barrier to commit, median |"
    );
    println!("|---|---|---|---|---|---|---|");
    let without = best[0].1;
    for (way, (wall, cpu, log)) in ways.iter().zip(&best) {
        let taken = checkpoints(log);
        let median = |of: fn(&[u64; 3]) -> u64| {
            let mut all: Vec<u64> = taken.iter().map(of).collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied().unwrap_or(0)
        };
        let shown = |what: String| if taken.is_empty() { "-".into() } else { what };
        println!(
            "| {} | {:.0} | {cpu:.2} | {} | {} | {} | {} |",
            way.map_or("none".to_string(), |w| format!(
                "every {w}: {}",
                taken.len()
            )),
            rows as f64 / wall,
            way.map_or("-".into(), |_| format!(
                "{:+.1} %",
                (cpu / without - 1.0) * 100.0
            )),
            shown(format!(
                "{} MB",
                taken.iter().map(|t| t[0]).max().unwrap_or(0) >> 20
            )),
            shown(format!(
                "{:.1} MB",
                median(|t| t[1]) as f64 / f64::from(1 << 20)
            )),
            shown(format!("{} ms", median(|t| t[2]))),
        );
    }
}

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(default)
}

/// Rows of a key, a number and a text; every key comes early, so that the state is there soon.
fn write_input(file: &Path, rows: u64, keys: u64) -> u64 {
    let mut out = BufWriter::new(std::fs::File::create(file).unwrap());
    let mut random = fastrand::Rng::with_seed(7);
    for i in 0..rows {
        let key = if i < keys { i } else { random.u64(..keys) };
        writeln!(out, "{key},{i},{:064x}", random.u128(..)).unwrap();
    }
    out.flush().unwrap();
    std::fs::metadata(file).unwrap().len()
}

fn job(dir: &Path, input: &Path, query: &str, sink: &str) -> Command {
    let sql = format!(
        "CREATE TABLE input (k BIGINT, v BIGINT, t STRING, ts AS TO_TIMESTAMP_LTZ(v, 3), WATERMARK FOR ts AS ts) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'csv');
         CREATE TABLE output (k BIGINT, n BIGINT, s BIGINT, m STRING) WITH ('connector' = '{sink}');
         CREATE VIEW few AS SELECT MOD(k, 1000) AS k, v, t, ts FROM input;
         INSERT INTO output {query};",
        input.display()
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowline"));
    command
        .args(["run", "-e", &sql, "--name", "bench", "--parallelism", "1"])
        .current_dir(dir)
        .env("FLOWLINE_LOG", "info");
    command
}

fn state_dir(dir: &Path) -> PathBuf {
    dir.join("checkpoints")
}

/// Wall and CPU seconds of a whole run, and what it logged.
fn throughput(dir: &Path, input: &Path, sql: &str, interval: Option<&str>) -> (f64, f64, String) {
    let _ = std::fs::remove_dir_all(state_dir(dir));
    let mut command = job(dir, input, sql, "blackhole");
    if let Some(interval) = interval {
        command
            .args(["--checkpoint-interval", interval, "--checkpoint-dir"])
            .arg(state_dir(dir));
    }
    let before = cpu_of_children();
    let begun = Instant::now();
    let output = command.stdout(Stdio::null()).output().unwrap();
    let wall = begun.elapsed().as_secs_f64();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    (wall, cpu_of_children() - before, log)
}

fn cpu_of_children() -> f64 {
    let usage =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Of each checkpoint logged: bytes of state, new bytes, milliseconds.
fn checkpoints(log: &str) -> Vec<[u64; 3]> {
    let numbers = |line: &str| {
        let (_, rest) = line.split_once("checkpoint ")?.1.split_once(": ")?;
        let numbers: Vec<u64> = rest
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|n| n.parse().ok())
            .collect();
        numbers.try_into().ok()
    };
    log.lines()
        .filter(|l| l.contains("bytes of state"))
        .filter_map(numbers)
        .collect()
}

/// Kills a job that has all its state in a checkpoint, starts it again, and waits for its first row. Milliseconds, and bytes of
/// state.
fn restart(dir: &Path, input: &Path) -> (u128, u64) {
    let _ = std::fs::remove_dir_all(state_dir(dir));
    let command = || {
        let mut command = job(dir, input, TOTALS, "print");
        command
            .args(["--checkpoint-interval", "1 s", "--checkpoint-dir"])
            .arg(state_dir(dir))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    let mut first = command().spawn().unwrap();
    let stdout = first.stdout.take().unwrap();
    let drain = std::thread::spawn(move || BufReader::new(stdout).lines().count());
    let mut bytes = 0;
    for line in BufReader::new(first.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
    {
        bytes = checkpoints(&line).first().map_or(bytes, |c| c[0]);
        if bytes > 90 << 20 {
            break;
        }
    }
    first.kill().unwrap();
    assert_eq!(
        first.wait().unwrap().signal(),
        Some(9),
        "it ended before it was killed"
    );
    drain.join().unwrap();
    let begun = Instant::now();
    let mut second = command().stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(second.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let millis = begun.elapsed().as_millis();
    assert!(line.contains('['), "no row: {line}");
    second.kill().unwrap();
    second.wait().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    (millis, bytes)
}
