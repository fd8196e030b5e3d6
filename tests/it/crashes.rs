//! Jobs that crash anywhere, over and over: what readers of their sinks see in the end is the batch answer, each row once.
//! `SEED=n FAULTS=m` runs one query with one course of events, `QUERIES=n` and `COURSES=n` so many.

use std::collections::BTreeMap;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use fastrand::Rng;
use flowline::checkpoint::{Checkpoints, Location, Request};
use flowline::error::ErrorKind;
use flowline::formats::{Encoded, json_row_encoder};
use flowline::graph::{Exchange, Graph, Input, Keep, Node, Operation};
use flowline::runtime::{
    Attempt, CheckpointOptions, EpochView, JobOptions, Plan, Process, RestoreFrom, attempt,
};

use crate::harness::difference;
use crate::random::{Case, case};
use crate::world::{LogRow, Way, World, log};

const QUERIES: u64 = 150;
const COURSES: u64 = 20;

/// The queries are shared out among so many threads.
const THREADS: u64 = 2;

/// Crashes of one course at most; after them it runs to its end.
const CRASHES: usize = 6;

/// The query is run into a sink of each kind.
const SINKS: &[(&str, Way)] = &[("select_1", Way::Folder), ("select_2", Way::Topic)];

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
    let runs: Vec<(Totals, Vec<String>)> = std::thread::scope(|scope| {
        let threads = (0..THREADS).map(|thread| {
            let mine = queries.clone().filter(move |seed| seed % THREADS == thread);
            let courses = courses.clone();
            scope.spawn(move || run(mine, &courses))
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let (totals, failures): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    println!("{totals:?}");
    let failures = failures.concat();
    assert!(
        failures.is_empty(),
        "{} failed\n{}",
        failures.len(),
        failures[..failures.len().min(4)].join("\n\n")
    );
}

/// Courses that have found something: each failed where what its name says was not so.
fn found(courses: &[(u64, u64)]) {
    for (seed, course) in courses {
        let (_, failures) = run([*seed].into_iter(), &(*course..course + 1));
        assert!(failures.is_empty(), "{}", failures.concat());
    }
}

/// The write of a manifest hung until a later run had taken over.
#[test]
fn a_manifest_that_lands_late_is_not_restored() {
    found(&[(32, 12), (29, 0)]);
}

/// An instance took the next barrier before it heard of the last commit.
#[test]
fn what_is_held_is_written_before_the_next_barrier() {
    found(&[(46, 4)]);
}

/// One instance failed while the others waited for a commit.
#[test]
fn a_failure_while_others_wait_ends_the_job() {
    found(&[(6, 0), (14, 0)]);
}

/// All inputs had ended when the job was stopped.
#[test]
fn a_job_that_is_stopped_while_it_drains_publishes_all() {
    found(&[(0, 3), (4, 6)]);
}

/// A run that had taken over was itself left alone, and restored its sinks when the next one had written to them.
#[test]
fn what_a_later_run_has_staged_stays() {
    found(&[(43, 2)]);
}

/// Runs each query with each course of events; what failed.
fn run(queries: impl Iterator<Item = u64>, courses: &Range<u64>) -> (Totals, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    let mut totals = Totals::default();
    for seed in queries {
        let case = runtime.block_on(case(seed, dir.path())).unwrap();
        let job = runtime.block_on(Job::plan(&case, seed)).unwrap();
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
    (totals, failures)
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

type Run<'a> = Pin<Box<dyn Future<Output = flowline::error::Result<Attempt>> + 'a>>;

/// What a run that has been shut out may end with.
fn alone(ended: flowline::error::Result<Attempt>) -> Result<(), String> {
    match ended {
        Err(e) if e.kind == ErrorKind::Internal => Err(format!("the run before: {e}")),
        _ => Ok(()),
    }
}

/// Lets a run take so many steps.
async fn drive(run: &mut Run<'_>, steps: usize) -> Option<flowline::error::Result<Attempt>> {
    for _ in 0..steps {
        if let Poll::Ready(result) = futures::poll!(run.as_mut()) {
            return Some(result);
        }
    }
    None
}

#[derive(Debug, Default)]
struct Totals {
    courses: u64,
    crashes: u64,
    pauses: u64,
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
    async fn plan(case: &Case, seed: u64) -> Result<Self, flowline::error::Error> {
        // What must change no answer.
        let settings = [
            ("table.exec.mini-batch.enabled", "true"),
            ("table.exec.mini-batch.allow-latency", "3 s"),
            ("table.exec.mini-batch.size", "1000"),
            ("table.exec.source.idle-timeout", "5 s"),
        ];
        let settings = settings.map(|(key, value)| (key.to_string(), value.to_string()));
        let mut script = case.script(2);
        script.settings = match seed % 4 {
            0 => Vec::new(),
            1 => settings[..3].to_vec(),
            2 => settings[3..].to_vec(),
            _ => settings.to_vec(),
        };
        let mut graphs = Vec::new();
        let mut logs = BTreeMap::new();
        for parallelism in 1..4 {
            let (session, _) = script.session(case.variant(), parallelism)?;
            let mut graph = session.graph()?;
            keep(&mut graph);
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
        let world = &World::new(random.u64(..), &self.logs, SINKS);
        let location = Location::simulated(Arc::clone(&world.store) as _);
        let mut options = JobOptions {
            batch_rows: random.usize(1..8),
            bounded: true,
            stays_open: false,
            name: "job".into(),
            checkpoints: Some(CheckpointOptions {
                checkpoints: Checkpoints::new(&location, "job"),
                store_options: BTreeMap::new(),
                interval: Duration::from_millis(1 << random.u32(..13)),
                timeout: Duration::from_secs(600),
                retained: random.usize(1..4),
                restore: RestoreFrom::Newest,
                drop_state: false,
                process: Process::new(0),
                wanted: Arc::default(),
            }),
        };
        totals.courses += 1;
        let crashes = random.usize(..CRASHES);
        // A run that was left alone for a while, and does not know of the next.
        let mut paused: Option<Run<'_>> = None;
        for count in 0usize.. {
            let has_crashes = count < crashes;
            if !has_crashes && count > crashes + 10 {
                world.faults.end();
            }
            if let Some(checkpoints) = &mut options.checkpoints
                && (paused.is_some() || random.bool())
            {
                // A new process, which has held nothing before.
                checkpoints.process = Process::new(count as u64 + 1);
            }
            let graph = &self.graphs[random.usize(..self.graphs.len())];
            let plan = plan(&mut random, has_crashes);
            let stops = plan.stop_after.is_some() && random.bool();
            let (of, run_seed) = (options.clone(), random.u64(..));
            let mut run: Run<'_> =
                Box::pin(async move { attempt(graph, world, &of, run_seed, &plan).await });
            let mut steps = match has_crashes && !stops {
                // Many while the run is still beginning.
                true if random.bool() => random.usize(..60),
                true => random.usize(..800),
                false => usize::MAX,
            };
            let ended = loop {
                // Each goes on for a while, then the other.
                let some = random.usize(1..200).min(steps);
                steps -= some;
                match drive(&mut run, some).await {
                    None if steps == 0 => break None,
                    None => {}
                    ended => break ended,
                }
                if let Some(other) = &mut paused
                    && random.bool()
                    && let Some(ended) = drive(other, random.usize(1..200)).await
                {
                    alone(ended)?;
                    paused = None;
                }
            };
            if matches!(ended, Some(Ok(_))) && paused.is_none() && world.has_unpublished() {
                return Err(format!(
                    "run {count} has ended, and not all of it is published"
                ));
            }
            match ended {
                Some(Ok(Attempt::Finished)) => break,
                Some(Ok(Attempt::Stopped)) => totals.stops += 1,
                None if paused.is_none() && random.u8(..3) == 0 => {
                    totals.pauses += 1;
                    paused = Some(run);
                }
                None => totals.crashes += 1,
                Some(Err(e)) if e.kind == ErrorKind::Internal || count > 200 => {
                    return Err(format!("run {count}: {e}"));
                }
                Some(Err(_)) => totals.failures += 1,
            }
        }
        if let Some(mut other) = paused
            && let Some(ended) = drive(&mut other, 50_000).await
        {
            alone(ended)?;
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
        let graph = &self.graphs[random.usize(..self.graphs.len())];
        if let Some(checkpoints) = &options.checkpoints {
            let view = flowline::runtime::views(graph, world, &checkpoints.checkpoints).await;
            for (what, rows) in kept(&view.map_err(|e| e.to_string())?)? {
                if let Some(difference) = difference(&case.expected, &rows) {
                    return Err(format!("{what} of the managed table: {difference}"));
                }
            }
        }
        Ok(())
    }
}

/// Has what the first sink gets kept as a managed table, by the key that its rows have, if they have one or only come.
fn keep(graph: &mut Graph) {
    let sink = graph.nodes.iter().find_map(|node| match &node.operation {
        Operation::Sink(sink) => Some((node.inputs[0].from, Arc::clone(&sink.table))),
        _ => None,
    });
    let (from, table) = sink.unwrap();
    let rows = graph.nodes[from].clone();
    let key = rows.changes.upsert_keys.first().cloned();
    if rows.changes.updating && key.as_ref().is_none_or(Vec::is_empty) {
        return;
    }
    let key = key.filter(|key| !key.is_empty());
    let (exchange, parallelism) = match &key {
        Some(key) => (Exchange::Hash(key.clone()), graph_parallelism(graph)),
        None => (Exchange::Gather, 1),
    };
    graph.add(Node {
        operation: Operation::Keep(Keep {
            table,
            key,
            retained: 1_000_000,
        }),
        inputs: vec![Input { from, exchange }],
        schema: Arc::clone(&rows.schema),
        changes: rows.changes,
        parallelism,
    });
}

fn graph_parallelism(graph: &Graph) -> usize {
    graph.nodes.iter().map(|n| n.parallelism).max().unwrap_or(1)
}

/// The rows of the managed table in a checkpoint, and what its changes add up to.
fn kept(view: &EpochView) -> Result<Vec<(&'static str, Vec<String>)>, String> {
    let mut all = Vec::new();
    for parts in view.tables.values() {
        let (mut rows, mut changes) = (Vec::new(), BTreeMap::<String, i64>::new());
        for part in parts {
            for batch in part.rows.batches(0, 100) {
                rows.extend(json(&batch.map_err(|e| e.to_string())?));
            }
            for batch in part.changes.batches(0, 100) {
                let batch = batch.map_err(|e| e.to_string())?;
                let weights = batch.column(1).as_primitive::<Int64Type>().clone();
                let columns: Vec<usize> = (2..batch.num_columns()).collect();
                let changed = json(&batch.project(&columns).unwrap());
                for (row, weight) in changed.into_iter().zip(weights.values()) {
                    *changes.entry(row).or_default() += weight;
                }
            }
        }
        let mut left = Vec::new();
        for (row, count) in changes {
            let count = usize::try_from(count).map_err(|_| format!("{count} times {row}"))?;
            left.extend(std::iter::repeat_n(row, count));
        }
        all.push(("rows", rows));
        if parts.iter().all(|part| part.gone == 0) {
            all.push(("changes", left));
        }
    }
    Ok(all)
}

fn json(rows: &RecordBatch) -> Vec<String> {
    let mut encoded = Encoded::default();
    json_row_encoder(rows.schema())
        .encode(rows, &mut encoded)
        .unwrap();
    let text = |row: &[u8]| String::from_utf8(row.to_vec()).unwrap();
    encoded.payloads().map(text).collect()
}
