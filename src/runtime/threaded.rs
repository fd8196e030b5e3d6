//! The runtime of production: one tokio task per task instance, bounded channels between them.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::chain::{Chain, Step};
use super::coordinator::{Coordinator, Order, Report};
use super::epochs::{Epochs, InstanceId, InstanceState};
use super::recovery::recover;
use super::router::{Address, Router};
use super::sink::SinkTail;
use super::source::{SourceHead, ValuesReader};
use super::topology::{self, Task};
use super::{Changes, Connect, JobMetrics, JobOptions, Snapshot, restored_positions};
use crate::checkpoint::{Manifest, PartitionPosition};
use crate::clock::Clock;
use crate::connectors::{JobContext, ReadRequest, Sink, SourceEvent, SourceReader, WriteRequest};
use crate::error::{Error, Result};
use crate::graph::{Aside, Graph, NodeId, Operation};
use crate::operators::Element;
use crate::state::StatePart;
use crate::time::Watermark;

/// Elements a channel holds before the sender waits.
const CHANNEL_CAPACITY: usize = 8;

/// A running job.
pub struct Job {
    tasks: JoinSet<Result<()>>,
    stop: watch::Sender<bool>,
    halt: watch::Sender<bool>,
    /// Its counters.
    pub metrics: JobMetrics,
    /// The checkpoint it began with.
    pub restored: Option<Manifest>,
}

impl Job {
    /// Waits for the job to end: at the end of its inputs, after [`Job::stop_handle`] was used, or with the first error,
    /// which stops all of it.
    ///
    /// # Errors
    /// The first error of any task.
    pub async fn wait(mut self) -> Result<()> {
        let mut first = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let result = ended
                .unwrap_or_else(|e| Err(Error::internal(format!("a task of the job died: {e}"))));
            if first.is_ok() && result.is_err() {
                first = result;
                // The others end by themselves: sources are told, the rest see their inputs close.
                self.halt.send_replace(true);
            }
        }
        first
    }

    /// Tells the job to stop when `true` is sent: sources read no further; what was read is still written out, and with
    /// checkpoints the last one holds all of it.
    pub fn stop_handle(&self) -> watch::Sender<bool> {
        self.stop.clone()
    }
}

/// Starts a job on the current tokio runtime: from its last checkpoint, where it takes any. Where the SQL has
/// changed, `told` is called first with what becomes of the state there.
///
/// # Errors
/// Sources and sinks that cannot be opened; a checkpoint that cannot be restored.
pub async fn start(
    graph: &Graph,
    connect: &dyn Connect,
    options: &JobOptions,
    clock: Arc<dyn Clock>,
    metrics: JobMetrics,
    told: &(dyn Fn(&Changes) + Send + Sync),
) -> Result<Job> {
    let tasks = topology::tasks(graph)?;
    let (stop, stopped) = watch::channel(false);
    let interval = options.checkpoints.as_ref().map(|c| c.interval);
    let context = JobContext::new(&options.name, interval);
    let sinks = open_sinks(graph, connect)?;
    let mut recovered = match &options.checkpoints {
        Some(checkpoints) => {
            Some(recover(graph, &sinks, &context, checkpoints, clock.now(), told).await?)
        }
        None => None,
    };
    let restored = recovered.as_mut().and_then(|r| r.restored.take());
    if restored.as_ref().is_some_and(|m| m.finished) {
        return Ok(Job {
            tasks: JoinSet::new(),
            halt: stop.clone(),
            stop,
            metrics,
            restored,
        });
    }
    let snapshot = recovered.as_ref().map(|r| &r.snapshot);
    let instances_of = |t: &Task| t.parallelism;
    let total: usize = tasks.iter().map(instances_of).sum();
    let (halt, halted) = match recovered {
        // With checkpoints the coordinator decides where the sources stop.
        Some(_) => watch::channel(false),
        None => (stop.clone(), stopped.clone()),
    };
    let (orders, ordered) = watch::channel(Order::default());
    let (reports, reported) = mpsc::channel(2 * total.max(1));
    let (commits, committed) = watch::channel(0);
    let identities = recovered.as_ref().map(|r| r.identities.clone());
    let identities = identities.unwrap_or_default();

    let mut senders: HashMap<Address, mpsc::Sender<Element>> = HashMap::new();
    let mut receivers: HashMap<(usize, usize), Vec<mpsc::Receiver<Element>>> = HashMap::new();
    for (t, task) in tasks.iter().enumerate() {
        for instance in 0..task.parallelism {
            let inputs = receivers.entry((t, instance)).or_default();
            for channel in 0..task.channels(&tasks) {
                let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
                senders.insert((t, instance, channel), sender);
                inputs.push(receiver);
            }
        }
    }
    // Sinks first: a topic that one statement writes and another reads is there then.
    let mut tails = HashMap::new();
    for (t, task) in tasks.iter().enumerate() {
        for instance in 0..task.parallelism {
            let parts = SinkParts {
                graph,
                sinks: &sinks,
                commits: task
                    .sink(graph)
                    .is_some_and(|n| identities.contains_key(&n)),
                instance,
                job: &context,
            };
            let tail = open_sink(&parts, task, &metrics).await?;
            tails.insert((t, instance), tail);
        }
    }
    let mut instances = Vec::new();
    for (t, task) in tasks.iter().enumerate() {
        for instance in 0..task.parallelism {
            let tail = tails.remove(&(t, instance)).flatten();
            let operators = task.operators(graph, &metrics)?;
            let source = task.source(graph);
            let head = match source {
                Some(node) => {
                    let parts = SourceParts {
                        graph,
                        node,
                        instance,
                        snapshot,
                    };
                    Head::Source(Box::new(
                        open_source(&parts, connect, options, &metrics).await?,
                    ))
                }
                None => Head::Channels(receivers.remove(&(t, instance)).unwrap_or_default()),
            };
            let output = Outputs {
                id: (t, instance),
                source,
                sink: task.sink(graph),
                router: Router::new(graph, &tasks, t, instance)?,
                senders: HashMap::new(),
                tail,
                reports: recovered.as_ref().map(|_| reports.clone()),
                committed: committed.clone(),
            };
            let mut chain = Chain::new(operators, task, &tasks, options.stays_open, graph);
            if let Some(snapshot) = snapshot {
                chain.restore(|node| snapshot.of_instance(node, instance, task.parallelism))?;
            }
            instances.push((t, instance, head, chain, output));
        }
    }
    let mut set = JoinSet::new();
    for (t, instance, head, chain, mut output) in instances {
        for edge in &tasks[t].outputs {
            let to = &tasks[edge.to];
            let channel = to.inputs[edge.port].channel_from(instance);
            for target in 0..to.parallelism {
                let address = (edge.to, target, channel);
                // Forward edges have one receiver a sender; the others' addresses are not this instance's to take.
                let mine = to.inputs[edge.port].exchange != crate::graph::Exchange::Forward
                    || target == instance;
                if mine && let Some(sender) = senders.remove(&address) {
                    output.senders.insert(address, sender);
                }
            }
        }
        let signals = Signals {
            halted: halted.clone(),
            ordered: ordered.clone(),
            clock: Arc::clone(&clock),
        };
        match head {
            Head::Source(head) => set.spawn(run_source(*head, chain, output, signals)),
            Head::Channels(receivers) => {
                set.spawn(run_task(receivers, chain, output, Arc::clone(&clock)))
            }
        };
    }
    drop(reports);
    if let (Some(recovered), Some(checkpoints)) = (recovered, &options.checkpoints) {
        let coordinator = Coordinator {
            epochs: Epochs::new(graph, &tasks, recovered.identities),
            reports: reported,
            orders,
            committed: commits,
            stop: stopped,
            committing: recovered.committing,
            options: checkpoints.clone(),
            clock,
            metrics: Arc::clone(&metrics.checkpoints),
        };
        set.spawn(coordinator.run());
    }
    Ok(Job {
        tasks: set,
        stop,
        halt,
        metrics,
        restored,
    })
}

enum Head {
    Source(Box<SourceHead>),
    Channels(Vec<mpsc::Receiver<Element>>),
}

/// Which source is to be opened, and from where it goes on.
pub(super) struct SourceParts<'a> {
    pub graph: &'a Graph,
    pub node: NodeId,
    pub instance: usize,
    pub snapshot: Option<&'a Snapshot>,
}

pub(super) async fn open_source(
    parts: &SourceParts<'_>,
    connect: &dyn Connect,
    options: &JobOptions,
    metrics: &JobMetrics,
) -> Result<SourceHead> {
    let node = &parts.graph.nodes[parts.node];
    let restored = parts
        .snapshot
        .and_then(|s| s.sources.get(&parts.node))
        .map(Vec::as_slice)
        .unwrap_or_default();
    let positions = restored_positions(restored);
    let counters = metrics
        .sources
        .get(&parts.node)
        .cloned()
        .unwrap_or_default();
    let (reader, source): (Box<dyn SourceReader>, _) = match &node.operation {
        Operation::Source(source) => {
            let request = ReadRequest {
                columns: source.columns.clone(),
                schema: Arc::clone(&source.read_schema),
                instance: parts.instance,
                parallelism: node.parallelism,
                restored: positions,
                batch_rows: options.batch_rows,
                bounded: options.bounded,
                keep_bad_rows: parts
                    .graph
                    .fills(parts.node, Aside::BadRows)
                    .then(|| source.table.name.clone()),

                metrics: Arc::clone(&counters),
            };
            (connect.source(source)?.reader(request).await?, Some(source))
        }
        Operation::Values(rows) => (Box::new(ValuesReader::new(rows.clone(), &positions)), None),
        other => return Err(Error::internal(format!("{other:?} is no source"))),
    };
    Ok(SourceHead::new(
        reader,
        source,
        &node.schema,
        restored,
        options.stays_open,
        counters,
    ))
}

/// The sinks of a graph by node.
pub(super) fn open_sinks(
    graph: &Graph,
    connect: &dyn Connect,
) -> Result<BTreeMap<NodeId, Arc<dyn Sink>>> {
    let mut sinks = BTreeMap::new();
    for (id, node) in graph.nodes.iter().enumerate() {
        if let Operation::Sink(sink) = &node.operation {
            sinks.insert(id, connect.sink(sink)?);
        }
    }
    Ok(sinks)
}

/// Which sink is to be written, by which instance.
pub(super) struct SinkParts<'a> {
    pub graph: &'a Graph,
    pub sinks: &'a BTreeMap<NodeId, Arc<dyn Sink>>,
    pub commits: bool,
    pub instance: usize,
    pub job: &'a Arc<JobContext>,
}

pub(super) async fn open_sink(
    parts: &SinkParts<'_>,
    task: &Task,
    metrics: &JobMetrics,
) -> Result<Option<SinkTail>> {
    let Some(id) = task.sink(parts.graph) else {
        return Ok(None);
    };
    let node = &parts.graph.nodes[id];
    let (Operation::Sink(sink), Some(opened)) = (&node.operation, parts.sinks.get(&id)) else {
        return Ok(None);
    };
    let request = WriteRequest {
        instance: parts.instance,
        schema: Arc::clone(&node.schema),
        key: sink.key.clone(),
        updating: node.changes.updating,
        job: Arc::clone(parts.job),
    };
    let writer = opened.writer(request).await?;
    let rows = metrics.sinks.get(&id).cloned().unwrap_or_default();
    Ok(Some(SinkTail::new(writer, parts.commits, sink, rows)))
}

/// Where an instance's elements go, and whom it tells of itself.
struct Outputs {
    id: InstanceId,
    source: Option<NodeId>,
    sink: Option<NodeId>,
    router: Router,
    senders: HashMap<Address, mpsc::Sender<Element>>,
    tail: Option<SinkTail>,
    /// To the coordinator, where there is one.
    reports: Option<mpsc::Sender<Report>>,
    committed: watch::Receiver<u64>,
}

/// Nobody is there any more to take what an instance emits: whoever has gone says why.
struct Gone;

impl Outputs {
    /// Passes elements on, waiting where a channel is full.
    async fn emit(&mut self, elements: Vec<Element>) -> Result<std::result::Result<(), Gone>> {
        for element in elements {
            if let Some(tail) = &mut self.tail {
                match element {
                    Element::Batch(batch) => tail.write(batch).await?,
                    Element::Watermark(Watermark::At(time)) => tail.watermark(time),
                    // What a barrier leads to is told with the state of the instance.
                    Element::Barrier(_)
                    | Element::Watermark(_)
                    | Element::End
                    | Element::Aside(..) => {}
                }
                continue;
            }
            let mut parts = Vec::new();
            self.router
                .route(&element, |address, part| parts.push((address, part)))?;
            for (address, part) in parts {
                let Some(sender) = self.senders.get(&address) else {
                    continue;
                };
                if sender.send(part).await.is_err() {
                    return Ok(Err(Gone));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Emits what a step led to, and tells the coordinator where a barrier came through.
    async fn step(
        &mut self,
        step: Step,
        positions: Vec<PartitionPosition>,
    ) -> Result<std::result::Result<(), Gone>> {
        let barrier = step.out.iter().find_map(|e| match e {
            Element::Barrier(epoch) => Some(*epoch),
            _ => None,
        });
        if let Err(gone) = self.emit(step.out).await? {
            return Ok(Err(gone));
        }
        let (Some(epoch), Some(operators)) = (barrier, step.snapshot) else {
            return Ok(Ok(()));
        };
        let state = self.state(operators, positions, epoch).await?;
        let report = Report::Barrier(epoch, self.id, Box::new(state));
        Ok(self.report(report).await)
    }

    async fn state(
        &mut self,
        operators: Vec<(NodeId, Vec<StatePart>)>,
        positions: Vec<PartitionPosition>,
        epoch: u64,
    ) -> Result<InstanceState> {
        let prepared = match (&mut self.tail, self.sink) {
            (Some(tail), Some(sink)) => tail.prepare(epoch).await?.map(|text| (sink, text)),
            _ => None,
        };
        Ok(InstanceState {
            source: self.source.map(|node| (node, positions)),
            operators,
            prepared,
        })
    }

    async fn report(&mut self, report: Report) -> std::result::Result<(), Gone> {
        match &self.reports {
            Some(reports) => reports.send(report).await.map_err(|_| Gone),
            None => Ok(()),
        }
    }

    /// Waits for the commit that the sink waits for; for ever, where it waits for none. Dropping the future loses nothing.
    async fn commit(&mut self) -> std::result::Result<(), Gone> {
        match self.tail.as_ref().and_then(SinkTail::waits_for) {
            Some(epoch) => {
                let committed = self.committed.wait_for(|c| *c >= epoch).await;
                committed.map(|_| ()).map_err(|_| Gone)
            }
            None => std::future::pending().await,
        }
    }

    async fn on_commit(&mut self) -> Result<()> {
        match &mut self.tail {
            Some(tail) => tail.on_commit().await,
            None => Ok(()),
        }
    }

    /// Whether the instance must wait for a commit before it takes more.
    fn is_full(&self) -> bool {
        self.tail.as_ref().is_some_and(SinkTail::is_full)
    }

    /// Ends the instance. Its inputs have ended (`is_done`), or it is stopped: then what it held back for speed alone is still
    /// written, unless its rows only count with a checkpoint.
    async fn end(&mut self, mut chain: Chain, positions: Vec<PartitionPosition>) -> Result<()> {
        let is_done = chain.is_done();
        if self.reports.is_none() {
            if !is_done {
                let held = chain.flush()?;
                let _ = self.emit(held).await?;
            }
            return self.close().await;
        }
        if !is_done {
            if self.tail.as_ref().is_some_and(|t| t.waits_for().is_some()) {
                if self.commit().await.is_err() {
                    return Ok(());
                }
                self.on_commit().await?;
            }
            // What is not committed is thrown away: the next run writes it again.
            let commits = self.tail.as_ref().is_some_and(SinkTail::commits);
            let is_clean = self.tail.as_ref().is_some_and(SinkTail::is_clean);
            return if commits && !is_clean {
                Ok(())
            } else {
                self.close().await
            };
        }
        if self.tail.as_ref().is_some_and(|t| t.waits_for().is_some()) {
            if self.commit().await.is_err() {
                return Ok(());
            }
            self.on_commit().await?;
        }
        let state = self.state(Vec::new(), positions, u64::MAX).await?;
        let _ = self.report(Report::End(self.id, Box::new(state))).await;
        self.close().await
    }

    async fn close(&mut self) -> Result<()> {
        match &mut self.tail {
            Some(tail) => tail.close().await,
            None => Ok(()),
        }
    }
}

/// What a source listens to besides its reader.
struct Signals {
    halted: watch::Receiver<bool>,
    ordered: watch::Receiver<Order>,
    clock: Arc<dyn Clock>,
}

/// What a source does next.
enum Next {
    Event(SourceEvent),
    Barrier(Order),
    Tick,
    Committed(std::result::Result<(), Gone>),
}

async fn run_source(
    mut head: SourceHead,
    mut chain: Chain,
    mut output: Outputs,
    mut signals: Signals,
) -> Result<()> {
    let period = head
        .idle_check()
        .into_iter()
        .chain(chain.clock_period())
        .min();
    let clock = Arc::clone(&signals.clock);
    let mut elements = Vec::new();
    'run: while !chain.is_done() {
        let is_full = output.is_full();
        let next = tokio::select! {
            biased;
            _ = signals.halted.wait_for(|s| *s) => break,
            committed = output.commit() => Next::Committed(committed),
            Ok(()) = signals.ordered.changed(), if !is_full => {
                Next::Barrier(*signals.ordered.borrow_and_update())
            }
            event = head.next(), if !is_full => Next::Event(event?),
            () = tick(period), if !is_full => Next::Tick,
        };
        let mut is_last = false;
        match next {
            Next::Event(event) => head.on_event(event, clock.now(), &mut elements)?,
            Next::Barrier(order) => {
                is_last = order.is_last;
                head.take_bad_rows(&mut elements);
                elements.push(Element::Barrier(order.epoch));
            }
            Next::Tick => {
                head.on_tick(clock.now(), &mut elements);
                if output.emit(chain.on_clock(clock.now())?).await?.is_err() {
                    break;
                }
            }
            Next::Committed(Ok(())) => output.on_commit().await?,
            Next::Committed(Err(Gone)) => break,
        }
        for element in std::mem::take(&mut elements) {
            let positions = match element {
                Element::Barrier(_) => head.snapshot(),
                _ => Vec::new(),
            };
            let step = chain.on_element(0, element)?;
            if output.step(step, positions).await?.is_err() {
                break 'run;
            }
        }
        if is_last {
            break;
        }
        // A source that always has rows must not keep the others from running.
        tokio::task::consume_budget().await;
    }
    let positions = head.snapshot();
    output.end(chain, positions).await
}

/// Waits for so many milliseconds; without a number for ever.
async fn tick(period: Option<u64>) {
    match period {
        Some(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        None => std::future::pending().await,
    }
}

async fn run_task(
    receivers: Vec<mpsc::Receiver<Element>>,
    mut chain: Chain,
    mut output: Outputs,
    clock: Arc<dyn Clock>,
) -> Result<()> {
    let mut receivers: Vec<Option<mpsc::Receiver<Element>>> =
        receivers.into_iter().map(Some).collect();
    let mut first = 0;
    let period = chain.clock_period();
    let mut last_tick = clock.now();
    while !chain.is_done() {
        if let Some(period) = period
            && (clock.now() - last_tick).unsigned_abs() >= period
        {
            last_tick = clock.now();
            if output.emit(chain.on_clock(last_tick)?).await?.is_err() {
                break;
            }
        }
        let blocked: Vec<bool> = (0..receivers.len()).map(|c| chain.is_blocked(c)).collect();
        let is_full = output.is_full();
        let next = tokio::select! {
            biased;
            committed = output.commit() => {
                if committed.is_err() {
                    break;
                }
                output.on_commit().await?;
                continue;
            }
            next = poll_fn(|context| {
            let n = receivers.len();
            let mut open = false;
            for channel in (0..n).map(|i| (first + i) % n) {
                if blocked[channel] {
                    continue;
                }
                let Some(receiver) = &mut receivers[channel] else {
                    continue;
                };
                open = true;
                match receiver.poll_recv(context) {
                    Poll::Ready(Some(element)) => {
                        return Poll::Ready(Some((channel, Some(element))));
                    }
                    Poll::Ready(None) => return Poll::Ready(Some((channel, None))),
                    Poll::Pending => {}
                }
            }
            if open {
                Poll::Pending
            } else {
                Poll::Ready(None)
            }
            }), if !is_full => next,
            () = tick(period), if !is_full => continue,
        };
        match next {
            // The sender has stopped without an end: the job is being stopped, nothing more will come from it.
            Some((channel, None)) => receivers[channel] = None,
            Some((channel, Some(element))) => {
                first = channel + 1;
                let step = chain.on_element(channel, element)?;
                if output.step(step, Vec::new()).await?.is_err() {
                    break;
                }
            }
            None => break,
        }
    }
    output.end(chain, Vec::new()).await
}
