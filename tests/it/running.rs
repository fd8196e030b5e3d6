//! Jobs over ends made for the purpose: what happens between barriers, at a stop, and when ticks are due.

#![allow(clippy::disallowed_methods, reason = "tests wait for other tasks")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{Int32Array, RecordBatch};
use async_trait::async_trait;
use flowline::changelog::Batch;
use flowline::checkpoint::{Checkpoints, Location, Request};
use flowline::clock::SystemClock;
use flowline::connectors::{
    Committer, JobContext, ReadRequest, Sink, SinkMode, SinkWriter, Source, SourceEvent,
    SourceReader, WriteRequest,
};
use flowline::error::{Error, Result};
use flowline::graph;
use flowline::runtime::{
    CheckpointOptions, Connect, Job, JobMetrics, JobOptions, Process, RestoreFrom, start,
};
use flowline::session::{Session, SessionConfig};
use flowline::sql::SourceFile;
use tokio::sync::watch;

/// What the ends of a job do, and what they have seen.
struct Ends {
    /// Rows come so far apart, so many of them; then the source ends, or else is silent.
    apart: Duration,
    rows: usize,
    is_bounded: bool,
    /// Rows written.
    written: watch::Sender<usize>,
    /// Writers that have prepared something.
    prepared: watch::Sender<usize>,
    /// The writer of the table `slow` prepares once this is true.
    may_prepare: watch::Sender<bool>,
    /// What was committed to each table, by epoch.
    committed: Mutex<Vec<(String, Vec<String>)>>,
}

impl Ends {
    fn new(apart: Duration, rows: usize, is_bounded: bool) -> Arc<Self> {
        Arc::new(Self {
            apart,
            rows,
            is_bounded,
            written: watch::Sender::default(),
            prepared: watch::Sender::default(),
            may_prepare: watch::Sender::default(),
            committed: Mutex::default(),
        })
    }
}

struct World(Arc<Ends>);

impl Connect for World {
    fn source(&self, _source: &graph::Source) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(SlowSource(Arc::clone(&self.0))))
    }

    fn sink(&self, sink: &graph::Sink) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(Table {
            ends: Arc::clone(&self.0),
            name: sink.name.clone(),
        }))
    }
}

struct SlowSource(Arc<Ends>);

#[async_trait]
impl Source for SlowSource {
    fn is_bounded(&self) -> bool {
        self.0.is_bounded
    }

    async fn reader(&self, request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(SlowReader {
            ends: Arc::clone(&self.0),
            due: tokio::time::interval(self.0.apart),
            request,
            read: 0,
        }))
    }
}

struct SlowReader {
    ends: Arc<Ends>,
    due: tokio::time::Interval,
    request: ReadRequest,
    read: usize,
}

#[async_trait]
impl SourceReader for SlowReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        if self.read == self.ends.rows && !self.ends.is_bounded {
            return std::future::pending().await;
        }
        if self.read == self.ends.rows {
            return Ok(SourceEvent::End);
        }
        self.due.tick().await;
        self.read += 1;
        let schema = Arc::clone(&self.request.schema);
        let ids = Int32Array::from(vec![i32::try_from(self.read).unwrap()]);
        Ok(SourceEvent::Rows {
            partition: "0".into(),
            rows: RecordBatch::try_new(schema, vec![Arc::new(ids)])?,
            weights: None,
        })
    }

    fn positions(&self) -> Vec<(Arc<str>, String)> {
        vec![("0".into(), self.read.to_string())]
    }
}

#[derive(Clone)]
struct Table {
    ends: Arc<Ends>,
    name: String,
}

#[async_trait]
impl Sink for Table {
    fn mode(&self) -> SinkMode {
        SinkMode::Retract
    }

    fn guarantee(&self) -> &'static str {
        "exactly once"
    }

    fn committer(&self, job: &Arc<JobContext>) -> Result<Option<Arc<dyn Committer>>> {
        let committer = job
            .checkpoints
            .is_some()
            .then(|| Arc::new(self.clone()) as _);
        Ok(committer)
    }

    async fn writer(&self, _request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(TableWriter {
            table: self.clone(),
            rows: 0,
        }))
    }
}

struct TableWriter {
    table: Table,
    rows: usize,
}

#[async_trait]
impl SinkWriter for TableWriter {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        self.rows += batch.num_rows();
        let rows = batch.num_rows();
        self.table.ends.written.send_modify(|n| *n += rows);
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn prepare(&mut self, _epoch: u64) -> Result<Option<String>> {
        let ends = &self.table.ends;
        match self.table.name.as_str() {
            // The other has prepared, and waits for its commit.
            "broken" => {
                ends.prepared
                    .subscribe()
                    .wait_for(|n| *n == 1)
                    .await
                    .unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                return Err(Error::external("the disk is gone"));
            }
            "slow" => {
                ends.prepared.send_modify(|n| *n += 1);
                ends.may_prepare
                    .subscribe()
                    .wait_for(|may| *may)
                    .await
                    .unwrap();
            }
            _ => ends.prepared.send_modify(|n| *n += 1),
        }
        Ok(Some(format!("{} rows", std::mem::take(&mut self.rows))))
    }
}

#[async_trait]
impl Committer for Table {
    fn identity(&self) -> String {
        self.name.clone()
    }

    async fn recover(&self, _earlier: &[String]) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn restore(&self, _epoch: Option<u64>, _prepared: &[String]) -> Result<()> {
        Ok(())
    }

    async fn commit(&self, _epoch: u64, prepared: &[String]) -> Result<()> {
        let one = (self.name.clone(), prepared.to_vec());
        self.ends.committed.lock().unwrap().push(one);
        Ok(())
    }
}

const DECLARED: &str = "
    CREATE TABLE t (id INT) WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'elsewhere:1',
      'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
    CREATE TABLE good (id INT) WITH ('connector' = 'blackhole');
    CREATE TABLE broken (id INT) WITH ('connector' = 'blackhole');
    CREATE TABLE slow (id INT) WITH ('connector' = 'blackhole');
    CREATE TABLE counts (id INT, n BIGINT) WITH ('connector' = 'blackhole');";

/// Starts a job; with `dir` it keeps checkpoints there.
async fn run(ends: &Arc<Ends>, sql: &str, dir: Option<(&tempfile::TempDir, Duration)>) -> Job {
    let mut session = Session::new(SessionConfig {
        parallelism: Some(1),
        ..SessionConfig::default()
    });
    let text = format!("{DECLARED}{sql}");
    session.load(&SourceFile::new("case.sql", &text)).unwrap();
    let graph = session.graph().unwrap();
    let checkpoints = dir.map(|(dir, interval)| {
        let root = dir.path().to_str().unwrap();
        let location = Location::open(root, &BTreeMap::new()).unwrap();
        CheckpointOptions {
            checkpoints: Checkpoints::new(&location, "job"),
            store_options: BTreeMap::new(),
            interval,
            timeout: Duration::from_secs(600),
            retained: 1,
            restore: RestoreFrom::Newest,
            drop_state: false,
            process: Process::new(0),
            wanted: Arc::default(),
        }
    });
    let options = JobOptions {
        batch_rows: 100,
        bounded: ends.is_bounded,
        stays_open: false,
        name: "job".into(),
        checkpoints,
    };
    let world = World(Arc::clone(ends));
    let metrics = JobMetrics::of(&graph);
    let clock = Arc::new(SystemClock);
    start(&graph, &world, &options, clock, metrics, &|_| ())
        .await
        .unwrap()
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("it comes soon")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_between_two_barriers_ends_the_job_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let ends = Ends::new(Duration::from_millis(1), 3, false);
    let sql = "INSERT INTO good SELECT id FROM t; INSERT INTO broken SELECT id FROM t;";
    let job = run(&ends, sql, Some((&dir, Duration::from_millis(100)))).await;
    let error = soon(job.wait()).await.unwrap_err();
    assert!(error.message.contains("the disk is gone"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_while_the_inputs_are_draining_commits_the_last_rows() {
    let dir = tempfile::tempdir().unwrap();
    let ends = Ends::new(Duration::from_millis(1), 3, true);
    let sql = "INSERT INTO slow SELECT id FROM t;";
    let job = run(&ends, sql, Some((&dir, Duration::from_secs(3600)))).await;
    let stop = job.stop_handle();
    let may_prepare = ends.may_prepare.clone();
    let mut prepared = ends.prepared.subscribe();
    soon(prepared.wait_for(|n| *n == 1)).await.unwrap();
    stop.send_replace(true);
    tokio::time::sleep(Duration::from_millis(300)).await;
    may_prepare.send_replace(true);
    soon(job.wait()).await.unwrap();
    let committed = ends.committed.lock().unwrap();
    let last = committed.last().unwrap();
    assert_eq!(last, &("slow".to_string(), vec!["3 rows".to_string()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mini_batches_are_handed_out_though_rows_keep_coming() {
    let ends = Ends::new(Duration::from_millis(20), 10_000, false);
    let sql = "SET 'table.exec.mini-batch.enabled' = 'true';
         SET 'table.exec.mini-batch.allow-latency' = '200 ms'; SET 'table.exec.mini-batch.size' = '1000000';
         INSERT INTO counts SELECT id, COUNT(*) FROM t GROUP BY id;";
    let job = run(&ends, sql, None).await;
    let mut written = ends.written.subscribe();
    soon(written.wait_for(|n| *n > 5)).await.unwrap();
    job.stop_handle().send_replace(true);
    soon(job.wait()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_cannot_be_given_fails_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ends = Ends::new(Duration::from_millis(1), 3, false);
    let sql = "INSERT INTO good SELECT id FROM t;";
    let job = run(&ends, sql, Some((&dir, Duration::from_secs(3600)))).await;
    let root = dir.path().to_str().unwrap();
    let folder = Location::open(root, &BTreeMap::new())
        .unwrap()
        .folder("job");
    let (first, second) = (Request::name(), Request::name());
    Request::Checkpoint.put(&folder, &first).await.unwrap();
    let in_the_way = dir
        .path()
        .join(format!("job/requests/{first}.answer.json/x"));
    std::fs::create_dir_all(&in_the_way).unwrap();
    Request::Checkpoint.put(&folder, &second).await.unwrap();
    let answered = async |name: &str| loop {
        if let Ok(Some(answer)) = Request::answered(&folder, name).await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let answer = soon(answered(&second)).await;
    assert!(answer.epoch.is_some(), "{answer:?}");
    std::fs::remove_dir_all(in_the_way.parent().unwrap()).unwrap();
    let answer = soon(answered(&first)).await;
    assert!(answer.epoch.is_some(), "{answer:?}");
    job.stop_handle().send_replace(true);
    soon(job.wait()).await.unwrap();
}
