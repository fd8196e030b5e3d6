//! The queries of examples/nexmark over JSON lines of its events, one instance: CPU seconds per million events (user + system,
//! whole process, marginal between two sizes) and peak memory.
//!
//! `cargo bench --bench nexmark`: takes some minutes and writes the table of BENCHMARKS.md to stdout.
//! QUERIES=q0,q4 chooses queries, EVENTS=2000000 sets the larger size (the smaller is a quarter of it), ROUNDS=3 the number of
//! runs of which the minimum counts, AGAINST=/path/to/flowline another binary that is measured in turn with this one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod measure;

use std::path::{Path, PathBuf};
use std::process::Command;

use measure::{binaries, env, in_turn, marginal, run};

const QUERIES: &str = "q0,q3,q4,q5,q7,q8,q15,q16,q17,q18,q19,q20,q22";

fn main() {
    let events = env("EVENTS", 2_000_000);
    let rounds = env("ROUNDS", 3);
    let queries = std::env::var("QUERIES").unwrap_or(QUERIES.to_string());
    let dir = std::env::temp_dir().join(format!("flowline-nexmark-{}", std::process::id()));
    let sizes = [events / 4, events];
    let tables = sizes.map(|n| write_events(n, &dir));
    println!("{events} events, minimum of {rounds} runs, one instance\n");
    let mut head = "| query | CPU s per million events | peak memory |".to_string();
    if binaries().len() > 1 {
        head.push_str(" the other | its peak memory | this / the other |");
    }
    println!("{head}\n|{}", "---|".repeat(head.matches('|').count() - 1));
    for query in queries.split(',') {
        let file = examples().join(format!("{query}.sql"));
        let mut jobs: Vec<Command> = binaries()
            .iter()
            .flat_map(|binary| tables.each_ref().map(|table| job(binary, table, &file)))
            .collect();
        let taken = in_turn(&mut jobs, rounds);
        let mut row = format!("| {query} |");
        let mut cpu = Vec::new();
        for of_binary in taken.chunks(2) {
            let seconds = marginal((sizes[0], of_binary[0]), (sizes[1], of_binary[1]));
            row.push_str(&format!(" {seconds:.3} | {} MB |", of_binary[1].peak >> 10));
            cpu.push(seconds);
        }
        if let [this, other] = cpu[..] {
            row.push_str(&format!(" {:.2} |", this / other));
        }
        println!("{row}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/nexmark")
}

/// Writes the events as JSON lines, and the tables of the benchmark over them.
fn write_events(count: u64, dir: &Path) -> PathBuf {
    let ddl = std::fs::read_to_string(examples().join("ddl.sql")).unwrap();
    let folder = dir.join(format!("events-{count}"));
    std::fs::create_dir_all(&folder).unwrap();
    let options = format!(
        "WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json')",
        folder.display()
    );
    let sql = format!(
        "ALTER TABLE datagen SET ('events.num' = '{count}');
         CREATE TABLE events {options} LIKE datagen (EXCLUDING ALL);
         INSERT INTO events SELECT event_type, person, auction, bid FROM datagen;"
    );
    let mut command = Command::new(&binaries()[0]);
    run(command.arg("run").arg(examples().join("ddl.sql")).args([
        "-e",
        &sql,
        "--parallelism",
        "1",
    ]));

    let start = ddl.find("WITH (").unwrap();
    let end = start + ddl[start..].find(';').unwrap();
    let tables = dir.join(format!("events-{count}.sql"));
    std::fs::write(
        &tables,
        format!("{}{options}{}", &ddl[..start], &ddl[end..]),
    )
    .unwrap();
    tables
}

fn job(binary: &Path, tables: &Path, query: &Path) -> Command {
    let mut job = Command::new(binary);
    job.arg("run")
        .args([tables, query])
        .args(["--parallelism", "1"])
        // q10 writes files there.
        .current_dir(tables.parent().unwrap());
    job
}
