//! Jobs that crash anywhere, over and over: what readers of their sinks see in the end is the batch answer, each row once.
//! `SEED=n FAULTS=m` runs one query with one course of events, `QUERIES=n` and `COURSES=n` so many.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use flowline::checkpoint::{Checkpoints, Location, Request};
use flowline::error::ErrorKind;
use flowline::graph::{Graph, Operation};
use flowline::runtime::{
    Attempt, CheckpointOptions, JobOptions, Plan, Process, RestoreFrom, attempt,
};

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
            let result = runtime.block_on(job.run(&case, seed, course, &mut totals));
            if let Err(what) = result {
                failures.push(format!(
                    "SEED={seed} FAULTS={course}\n{}\n{what}",
                    case.query
                ));
            }
        }
    }
    println!(
        "{} courses, {} crashes, {} stops, {} failures of other kinds, {} checkpoints",
        totals.courses, totals.crashes, totals.stops, totals.failures, totals.checkpoints
    );
    assert!(
        failures.is_empty(),
        "{} failed\n{}",
        failures.len(),
        failures[..failures.len().min(4)].join("\n\n")
    );
}

/// What happens to a run besides its faults.
fn plan(random: &mut Rng, is_stopped: bool) -> Plan {
    let mut plan = Plan::default();
    if is_stopped && random.u8(..3) == 0 {
        plan.stop_after = Some(random.usize(..200));
    }
    if random.u8(..3) == 0 {
        let to = None;
        let savepoint = random.bool();
        let request = match random.u8(..if is_stopped { 3 } else { 2 }) {
            0 => Request::Checkpoint,
            1 => Request::Savepoint { to },
            _ => Request::Stop { savepoint, to },
        };
        plan.ask_after = Some((random.usize(..100), request));
    }
    plan
}

/// Lets a run take so many steps; `None`: it has crashed there.
async fn drive<T>(run: impl Future<Output = T>, steps: usize) -> Option<T> {
    let mut run = std::pin::pin!(run);
    for _ in 0..steps {
        if let Poll::Ready(result) = futures::poll!(run.as_mut()) {
            return Some(result);
        }
    }
    None
}

#[derive(Default)]
struct Totals {
    courses: u64,
    crashes: u64,
    stops: u64,
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

    async fn run(
        &self,
        case: &Case,
        seed: u64,
        course: u64,
        totals: &mut Totals,
    ) -> Result<(), String> {
        let mut random = Rng::with_seed(seed << 32 | course);
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
                interval: Duration::from_millis(random.u64(200..5000)),
                timeout: Duration::from_secs(600),
                retained: random.usize(1..4),
                restore: RestoreFrom::Newest,
                drop_state: false,
                process: Process::new(0),
            }),
        };
        totals.courses += 1;
        let crashes = random.usize(..CRASHES);
        for count in 0usize.. {
            let has_crashes = count < crashes;
            if !has_crashes && count > crashes + 10 {
                world.faults.end();
            }
            if let Some(checkpoints) = &mut options.checkpoints
                && random.bool()
            {
                // A new process, which has held nothing before.
                checkpoints.process = Process::new(count as u64 + 1);
            }
            let graph = &self.graphs[random.usize(..self.graphs.len())];
            let plan = plan(&mut random, has_crashes);
            let run = attempt(graph, &world, &options, random.u64(..), &plan);
            let steps = match has_crashes {
                true => random.usize(..800),
                false => usize::MAX,
            };
            match drive(run, steps).await {
                Some(Ok(Attempt::Finished)) => break,
                Some(Ok(Attempt::Stopped)) => totals.stops += 1,
                None => totals.crashes += 1,
                Some(Err(e)) if e.kind == ErrorKind::External && count < 200 => {
                    totals.failures += 1;
                }
                Some(Err(e)) => return Err(format!("run {count}: {e}")),
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
