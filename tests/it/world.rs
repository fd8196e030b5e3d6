//! A simulated world for jobs that crash: logs to read, topics and folders to write, a store for checkpoints, all of them
//! faulty as a seed says and all of them staying when the job is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use arrow::array::{Int64Array, RecordBatch};
use async_trait::async_trait;
use fastrand::Rng;
use flowline::changelog::Batch;
use flowline::connectors::{
    Committer, JobContext, ReadRequest, Sink, SinkMode, SinkWriter, Source, SourceEvent,
    SourceReader, WriteRequest,
};
use flowline::error::{Error, ErrorKind, Result};
use flowline::formats::{Encoded, Encoder, json_row_encoder};
use flowline::graph;
use flowline::runtime::Connect;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

/// When things go wrong. Asked by everything that may.
#[derive(Debug)]
pub struct Faults {
    random: Mutex<Rng>,
    on: Mutex<bool>,
    /// How much rarer they are than at worst.
    rarer: u32,
}

impl Faults {
    pub fn new(seed: u64) -> Arc<Self> {
        let mut random = Rng::with_seed(seed);
        Arc::new(Self {
            rarer: [1, 4, 20][random.usize(..3)],
            random: Mutex::new(random),
            on: Mutex::new(true),
        })
    }

    /// From now on everything works.
    pub fn end(&self) {
        *self.on.lock().unwrap() = false;
    }

    /// True once in so many times, at worst.
    fn once_in(&self, n: u32) -> bool {
        *self.on.lock().unwrap() && self.random.lock().unwrap().u32(..n * self.rarer) == 0
    }

    /// Whether one of so many choices is made, whatever is wrong otherwise.
    fn choose(&self, n: u32) -> bool {
        self.random.lock().unwrap().u32(..n) == 0
    }

    fn number(&self, below: usize) -> usize {
        self.random.lock().unwrap().usize(..below)
    }

    /// Lets others go on in between, some times; now and then it hangs.
    async fn delay(&self) {
        let times = match *self.on.lock().unwrap() {
            false => 0,
            true => self.number(if self.choose(20) { 200 } else { 4 }),
        };
        Yield(times).await;
    }
}

/// Is ready after so many polls.
struct Yield(usize);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A store that is slow, fails, and when a job crashes in the middle of a write keeps a part of it. What was not answered may still
/// be done, much later.
#[derive(Debug)]
pub struct FaultyStore {
    inner: InMemory,
    faults: Arc<Faults>,
    /// Writes that nobody waits for any more, and that are still to come.
    late: Mutex<Vec<Write>>,
}

#[derive(Debug, Clone)]
struct Write {
    to: Path,
    payload: PutPayload,
    options: PutOptions,
}

/// A write on its way: may come late where nobody waits for it any more.
struct OnItsWay<'a>(&'a FaultyStore, Option<Write>);

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(write) = self.1.take().filter(|_| self.0.faults.choose(2)) {
            self.0.late.lock().unwrap().push(write);
        }
    }
}

impl FaultyStore {
    pub fn new(faults: &Arc<Faults>) -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            faults: Arc::clone(faults),
            late: Mutex::default(),
        })
    }

    fn fail(&self, n: u32) -> object_store::Result<()> {
        if self.faults.once_in(n) {
            return Err(object_store::Error::Generic {
                store: "simulated",
                source: "unreachable".into(),
            });
        }
        Ok(())
    }

    /// Takes a while, in which a late write may come.
    async fn delay(&self) {
        self.faults.delay().await;
        let write = {
            let mut late = self.late.lock().unwrap();
            let comes = !late.is_empty() && self.faults.choose(8);
            let at = self.faults.number(late.len().max(1));
            comes.then(|| late.swap_remove(at))
        };
        if let Some(write) = write {
            let _ = self
                .inner
                .put_opts(&write.to, write.payload, write.options)
                .await;
        }
    }
}

impl std::fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("simulated")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let write = Write {
            to: location.clone(),
            payload: payload.clone(),
            options: options.clone(),
        };
        let mut on_its_way = OnItsWay(self, Some(write));
        self.delay().await;
        self.fail(15)?;
        on_its_way.1 = None;
        // A torn write: what is there if the job ends before the rest is. What is created is there whole or not at all.
        if options.mode == PutMode::Overwrite && self.faults.once_in(3) {
            let bytes: Vec<u8> = payload.iter().flat_map(|b| b.to_vec()).collect();
            let half = PutPayload::from(bytes[..bytes.len() / 2].to_vec());
            self.inner.put(location, half).await?;
            self.delay().await;
        }
        let written = self.inner.put_opts(location, payload, options).await?;
        // It is there, and whoever wrote it does not learn that.
        self.fail(25)?;
        Ok(written)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.delay().await;
        self.fail(60)?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        if self.faults.once_in(20) {
            let failed = self.fail(1).map(|()| Path::default());
            return futures::stream::iter([failed]).boxed();
        }
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.delay().await;
        self.fail(60)?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A row as JSON and its weight.
pub type Record = (String, i64);

/// What was written to a sink, and what readers see of it.
#[derive(Debug, Default)]
struct Written {
    /// Readers see these.
    visible: Vec<Record>,
    /// The open transaction of a topic.
    open: Vec<Record>,
    /// The epoch committed last to a topic.
    mark: Option<u64>,
    /// Which run may write to a topic.
    generation: u64,
    /// Complete files of a folder that are not published, and which run wrote them.
    staged: BTreeMap<String, (u64, Vec<Record>)>,
    /// Files that have been.
    published: BTreeSet<String>,
    files: u64,
    /// The epoch whose commit was begun last, by run.
    committed: BTreeMap<u64, u64>,
}

/// How a sink commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Like Kafka: one transaction an epoch, which holds the mark.
    Topic,
    /// Like files: prepared under names of their own, then published.
    Folder,
}

/// Everything outside a job.
pub struct World {
    pub faults: Arc<Faults>,
    pub store: Arc<FaultyStore>,
    logs: BTreeMap<String, Arc<Vec<Vec<LogRow>>>>,
    sinks: BTreeMap<String, (Way, Arc<Mutex<Written>>)>,
}

/// One row of a log.
#[derive(Debug, Clone)]
pub struct LogRow {
    rows: RecordBatch,
    weight: Option<i64>,
}

/// The rows of a table as a log of so many partitions, read from its real source.
pub async fn log(
    source: &dyn Source,
    columns: &graph::Source,
    partitions: usize,
) -> Result<Vec<Vec<LogRow>>> {
    let request = ReadRequest {
        columns: columns.columns.clone(),
        schema: Arc::clone(&columns.read_schema),
        instance: 0,
        parallelism: 1,
        restored: Default::default(),
        batch_rows: 1000,
        bounded: true,
        keep_bad_rows: None,
        metrics: Arc::default(),
    };
    let mut reader = source.reader(request).await?;
    let mut log = vec![Vec::new(); partitions];
    let mut at = 0;
    loop {
        match reader.next().await? {
            SourceEvent::Rows { rows, weights, .. } => {
                for i in 0..rows.num_rows() {
                    log[at % partitions].push(LogRow {
                        rows: rows.slice(i, 1),
                        weight: weights.as_ref().map(|w| w.value(i)),
                    });
                    at += 1;
                }
            }
            SourceEvent::End => return Ok(log),
            _ => {}
        }
    }
}

impl World {
    pub fn new(
        seed: u64,
        logs: &BTreeMap<String, Arc<Vec<Vec<LogRow>>>>,
        sinks: &[(&str, Way)],
    ) -> Self {
        let faults = Faults::new(seed);
        Self {
            store: FaultyStore::new(&faults),
            faults,
            logs: logs.clone(),
            sinks: sinks
                .iter()
                .map(|(name, way)| (name.to_string(), (*way, Arc::default())))
                .collect(),
        }
    }

    /// What readers see of a sink in the end: each row as often as it was inserted more than retracted.
    ///
    /// # Errors
    /// A row that was retracted more often than inserted.
    pub fn seen(&self, sink: &str) -> std::result::Result<Vec<String>, String> {
        let mut bag: BTreeMap<String, i64> = BTreeMap::new();
        for (row, weight) in &self.sinks[sink].1.lock().unwrap().visible {
            *bag.entry(row.clone()).or_default() += weight;
        }
        let mut rows = Vec::new();
        for (row, n) in bag {
            if n < 0 {
                return Err(format!("{sink}: {n} times {row}"));
            }
            rows.extend((0..n).map(|_| row.clone()));
        }
        Ok(rows)
    }
}

impl World {
    /// Whether the last run has written rows that nobody sees.
    pub fn has_unpublished(&self) -> bool {
        self.sinks.values().any(|(_, written)| {
            let written = written.lock().unwrap();
            let last = written.committed.keys().max().copied();
            let mut staged = written.staged.values();
            !written.open.is_empty() || staged.any(|(run, _)| Some(*run) == last)
        })
    }
}

impl Connect for World {
    fn source(&self, source: &graph::Source) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(SimSource {
            log: Arc::clone(&self.logs[&source.table.name]),
            faults: Arc::clone(&self.faults),
        }))
    }

    fn sink(&self, sink: &graph::Sink) -> Result<Arc<dyn Sink>> {
        let (way, written) = &self.sinks[&sink.name];
        Ok(Arc::new(SimSink {
            name: sink.name.clone(),
            way: *way,
            generation: Arc::default(),
            written: Arc::clone(written),
            faults: Arc::clone(&self.faults),
        }))
    }
}

struct SimSource {
    log: Arc<Vec<Vec<LogRow>>>,
    faults: Arc<Faults>,
}

#[async_trait]
impl Source for SimSource {
    fn is_bounded(&self) -> bool {
        true
    }

    async fn reader(&self, request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        let mine = |p: &usize| p % request.parallelism == request.instance;
        let partitions = (0..self.log.len()).filter(mine).map(|p| {
            let name: Arc<str> = format!("{p}").into();
            let at = request.restored.get(&*name);
            (p, name, at.map_or(0, |text| text.parse().unwrap()))
        });
        Ok(Box::new(SimReader {
            log: Arc::clone(&self.log),
            partitions: partitions.collect(),
            faults: Arc::clone(&self.faults),
            is_assigned: false,
            batch_rows: request.batch_rows,
        }))
    }
}

struct SimReader {
    log: Arc<Vec<Vec<LogRow>>>,
    /// Number, name and next offset.
    partitions: Vec<(usize, Arc<str>, usize)>,
    faults: Arc<Faults>,
    is_assigned: bool,
    batch_rows: usize,
}

#[async_trait]
impl SourceReader for SimReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        if !self.is_assigned {
            self.is_assigned = true;
            let names = self.partitions.iter().map(|p| Arc::clone(&p.1));
            return Ok(SourceEvent::Assigned(names.collect()));
        }
        if self.faults.once_in(200) {
            return Err(Error::external("the log is gone"));
        }
        let log = Arc::clone(&self.log);
        let left: Vec<usize> = (0..self.partitions.len())
            .filter(|i| self.partitions[*i].2 < log[self.partitions[*i].0].len())
            .collect();
        let mut random = self.faults.random.lock().unwrap();
        if left.is_empty() {
            return Ok(SourceEvent::End);
        }
        let (number, name, at) = &mut self.partitions[left[random.usize(..left.len())]];
        let rows = &log[*number];
        let end = (*at + random.usize(1..self.batch_rows.min(6) + 1)).min(rows.len());
        let taken = &rows[*at..end];
        *at = end;
        let batches: Vec<&RecordBatch> = taken.iter().map(|r| &r.rows).collect();
        let weights: Option<Vec<i64>> = taken.iter().map(|r| r.weight).collect();
        Ok(SourceEvent::Rows {
            partition: Arc::clone(name),
            rows: arrow::compute::concat_batches(&batches[0].schema(), batches)?,
            weights: weights.map(Int64Array::from),
        })
    }

    fn positions(&self) -> Vec<(Arc<str>, String)> {
        let of = |p: &(usize, Arc<str>, usize)| (Arc::clone(&p.1), p.2.to_string());
        self.partitions.iter().map(of).collect()
    }
}

#[derive(Clone)]
struct SimSink {
    name: String,
    way: Way,
    /// Which run of the topic this is, once it has begun.
    generation: Arc<AtomicU64>,
    written: Arc<Mutex<Written>>,
    faults: Arc<Faults>,
}

#[async_trait]
impl Sink for SimSink {
    fn mode(&self) -> SinkMode {
        SinkMode::Retract
    }

    fn guarantee(&self) -> &'static str {
        "exactly once"
    }

    fn committer(&self, job: &Arc<JobContext>) -> Result<Option<Arc<dyn Committer>>> {
        let sink = self.clone();
        let job = Arc::clone(job);
        Ok(Some(Arc::new(SimCommitter { sink, job })))
    }

    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(SimWriter {
            sink: self.clone(),
            run: request.job.run(),
            prepared: None,
            encoder: json_row_encoder(request.schema),
            buffer: Vec::new(),
        }))
    }
}

struct SimWriter {
    sink: SimSink,
    run: u64,
    /// The epoch prepared last.
    prepared: Option<u64>,
    encoder: Box<dyn Encoder>,
    buffer: Vec<Record>,
}

#[async_trait]
impl SinkWriter for SimWriter {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        self.check_order("rows")?;
        if self.sink.faults.once_in(150) {
            return Err(Error::external("the sink is gone"));
        }
        let mut encoded = Encoded::default();
        self.encoder.encode(&batch.rows, &mut encoded).unwrap();
        for (i, row) in encoded.payloads().enumerate() {
            let row = String::from_utf8_lossy(row).into_owned();
            self.buffer.push((row, batch.weight(i)));
        }
        if self.sink.way == Way::Topic {
            let mut written = self.sink.written.lock().unwrap();
            self.sink.check(&written)?;
            written.open.append(&mut self.buffer);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn prepare(&mut self, epoch: u64) -> Result<Option<String>> {
        self.check_order("a barrier")?;
        self.prepared = Some(epoch);
        let mut written = self.sink.written.lock().unwrap();
        if self.sink.way == Way::Topic || self.buffer.is_empty() {
            return Ok(None);
        }
        written.files += 1;
        let name = format!("{epoch}-{}", written.files);
        let rows = std::mem::take(&mut self.buffer);
        written.staged.insert(name.clone(), (self.run, rows));
        Ok(Some(name))
    }
}

impl SimWriter {
    /// Whatever comes after an epoch that was prepared comes after its commit.
    fn check_order(&self, what: &str) -> Result<()> {
        let written = self.sink.written.lock().unwrap();
        let committed = written.committed.get(&self.run).copied();
        if self.prepared > committed {
            let prepared = self.prepared.unwrap_or_default();
            let message = format!("{what} before epoch {prepared} was committed");
            return Err(Error::internal(message));
        }
        Ok(())
    }
}

impl SimSink {
    fn publish(&self, names: &[String]) -> Result<()> {
        let mut written = self.written.lock().unwrap();
        for name in names {
            match written.staged.remove(name) {
                Some((_, rows)) => {
                    assert!(written.published.insert(name.clone()));
                    written.visible.extend(rows);
                }
                None if written.published.contains(name) => {}
                None => return Err(Error::internal(format!("{}: {name} is lost", self.name))),
            }
        }
        Ok(())
    }

    /// A topic takes nothing from an earlier run.
    fn check(&self, written: &Written) -> Result<()> {
        if written.generation != self.generation.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Fenced, "a later run has begun"));
        }
        Ok(())
    }

    fn fail(&self, n: u32) -> Result<()> {
        if self.faults.once_in(n) {
            return Err(Error::external(format!("{}: no answer", self.name)));
        }
        Ok(())
    }
}

struct SimCommitter {
    sink: SimSink,
    job: Arc<JobContext>,
}

#[async_trait]
impl Committer for SimCommitter {
    fn identity(&self) -> String {
        self.sink.name.clone()
    }

    fn remembers(&self) -> bool {
        self.sink.way == Way::Topic
    }

    async fn recover(&self, _earlier: &[String]) -> Result<Option<u64>> {
        self.sink.faults.delay().await;
        self.sink.fail(30)?;
        let mut written = self.sink.written.lock().unwrap();
        written.generation += 1;
        self.sink
            .generation
            .store(written.generation, Ordering::Relaxed);
        written.open.clear();
        Ok(written.mark)
    }

    async fn restore(&self, _epoch: Option<u64>, prepared: &[String]) -> Result<()> {
        self.sink.faults.delay().await;
        self.sink.publish(prepared)?;
        self.sink.fail(30)?;
        let run = self.job.run();
        let mut written = self.sink.written.lock().unwrap();
        written.staged.retain(|_, (of, _)| *of > run);
        Ok(())
    }

    async fn commit(&self, epoch: u64, prepared: &[String]) -> Result<()> {
        {
            let mut written = self.sink.written.lock().unwrap();
            written.committed.insert(self.job.run(), epoch);
        }
        self.sink.faults.delay().await;
        self.sink.fail(30)?;
        if self.sink.way == Way::Topic {
            let mut written = self.sink.written.lock().unwrap();
            self.sink.check(&written)?;
            let open = std::mem::take(&mut written.open);
            written.visible.extend(open);
            written.mark = Some(epoch);
        } else {
            self.sink.publish(prepared)?;
        }
        // Done, and the answer is lost.
        self.sink.fail(30)?;
        self.sink.faults.delay().await;
        Ok(())
    }
}
