//! Jobs that crash anywhere, over and over: what readers of their sinks see in the end is the batch answer, each row once.
//! `SEED=n FAULTS=m` runs one query with one course of events, `QUERIES=n` and `COURSES=n` so many.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use flowline::checkpoint::{Checkpoints, Location};
use flowline::error::ErrorKind;
use flowline::graph::{Graph, Operation};
use flowline::runtime::{Attempt, CheckpointOptions, JobOptions, Process, RestoreFrom, attempt};

use crate::harness::difference;
use crate::random::{Case, case};
use crate::world::{LogRow, Way, World, log};

const QUERIES: u64 = 60;
const COURSES: u64 = 50;

/// Crashes of one course at most; after them it runs to its end.
const CRASHES: usize = 6;

/// The query is run into a sink of each kind.
const SINKS: &[(&str, Way)] = &[("select_1", Way::Topic), ("select_2", Way::Folder)];

#[test]
fn whatever_crashes_the_output_is_the_batch_answer_once() {
    let given = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let queries = match given("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..given("QUERIES").unwrap_or(QUERIES),
    };
    let courses = match given("FAULTS") {
        Some(course) => course..course + 1,
        None => 0..given("COURSES").unwrap_or(COURSES),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    let mut totals = Totals::default();
    for seed in queries {
        let case = runtime.block_on(case(seed, dir.path())).unwrap();
        let job = runtime.block_on(Job::plan(&case)).unwrap();
        for course in courses.clone() {
            let result = runtime.block_on(job.run(&case, course, &mut totals));
            if let Err(what) = result {
                failures.push(format!(
                    "SEED={seed} FAULTS={course}\n{}\n{what}",
                    case.query
                ));
            }
        }
    }
    println!(
        "{} courses, {} crashes, {} failures of other kinds, {} checkpoints",
        totals.courses, totals.crashes, totals.failures, totals.checkpoints
    );
    assert!(
        failures.is_empty(),
        "{} failed\n{}",
        failures.len(),
        failures[..failures.len().min(4)].join("\n\n")
    );
}

#[derive(Default)]
struct Totals {
    courses: u64,
    crashes: u64,
    failures: u64,
    checkpoints: u64,
}

/// A query as jobs of several parallelisms, and what they read.
struct Job {
    graphs: Vec<Graph>,
    logs: BTreeMap<String, Arc<Vec<Vec<LogRow>>>>,
}

impl Job {
    async fn plan(case: &Case) -> Result<Self, flowline::error::Error> {
        let mut graphs = Vec::new();
        let mut logs = BTreeMap::new();
        for parallelism in 1..4 {
            let (session, _) = case.script(2).session(case.variant(), parallelism)?;
            let graph = session.graph()?;
            for node in &graph.nodes {
                if let Operation::Source(source) = &node.operation {
                    let read = session.source(&source.table)?;
                    // The order of changes is that of one partition.
                    let is_changelog = matches!(source.table.name.as_str(), "u" | "x");
                    let partitions = if is_changelog { 1 } else { 3 };
                    let rows = log(&*read, source, partitions).await?;
                    logs.insert(source.table.name.clone(), Arc::new(rows));
                }
            }
            graphs.push(graph);
        }
        Ok(Self { graphs, logs })
    }

    async fn run(&self, case: &Case, course: u64, totals: &mut Totals) -> Result<(), String> {
        let mut random = Rng::with_seed(course);
        let world = World::new(random.u64(..), &self.logs, SINKS);
        let location = Location::simulated(Arc::clone(&world.store) as _);
        let mut options = JobOptions {
            batch_rows: random.usize(1..8),
            bounded: true,
            stays_open: false,
            name: "job".into(),
            checkpoints: Some(CheckpointOptions {
                checkpoints: Checkpoints::new(&location, "job"),
                store_options: BTreeMap::new(),
                interval: Duration::from_secs(1),
                timeout: Duration::from_secs(1),
                retained: random.usize(1..4),
                restore: RestoreFrom::Newest,
                drop_state: false,
                process: Process::new(0),
            }),
        };
        totals.courses += 1;
        let crashes = random.usize(..CRASHES);
        for count in 0usize.. {
            let crash = (count < crashes).then(|| random.usize(..150));
            if crash.is_none() && count > crashes + 10 {
                world.faults.end();
            }
            if let Some(checkpoints) = &mut options.checkpoints
                && random.bool()
            {
                // A new process, which has held nothing before.
                checkpoints.process = Process::new(count as u64 + 1);
            }
            let graph = &self.graphs[random.usize(..self.graphs.len())];
            match attempt(graph, &world, &options, &mut random, crash).await {
                Ok(Attempt::Finished) => break,
                Ok(Attempt::Crashed(_)) => totals.crashes += 1,
                Err(e) if e.kind == ErrorKind::External && count < 200 => totals.failures += 1,
                Err(e) => return Err(format!("run {count}: {e}")),
            }
        }
        world.faults.end();
        if let Some(checkpoints) = &options.checkpoints {
            let epochs = checkpoints.checkpoints.epochs().await;
            totals.checkpoints += epochs.map_err(|e| e.to_string())?[0];
        }
        for (sink, _) in SINKS {
            if let Some(difference) = difference(&case.expected, &world.seen(sink)?) {
                return Err(format!("{sink}: {difference}"));
            }
        }
        Ok(())
    }
}
