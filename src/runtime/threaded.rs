//! The runtime of production: one tokio task per task instance, bounded channels between them.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::chain::Chain;
use super::router::{Address, Router};
use super::sink::SinkTail;
use super::source::{SourceHead, ValuesReader};
use super::topology::{self, Task};
use super::{Connect, JobMetrics, JobOptions, Snapshot, restored_positions};
use crate::clock::Clock;
use crate::connectors::{JobContext, ReadRequest, SourceReader, WriteRequest};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Operation};
use crate::operators::Element;

/// Elements a channel holds before the sender waits.
const CHANNEL_CAPACITY: usize = 8;

/// A running job.
pub struct Job {
    tasks: JoinSet<Result<()>>,
    stop: watch::Sender<bool>,
    /// Its counters.
    pub metrics: JobMetrics,
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
                self.stop.send_replace(true);
            }
        }
        first
    }

    /// Tells the sources to stop reading when `true` is sent; what was read is still written out.
    pub fn stop_handle(&self) -> watch::Sender<bool> {
        self.stop.clone()
    }
}

/// Starts a job on the current tokio runtime.
///
/// # Errors
/// Sources and sinks that cannot be opened.
pub async fn start(
    graph: &Graph,
    connect: &dyn Connect,
    options: &JobOptions,
    clock: Arc<dyn Clock>,
) -> Result<Job> {
    let tasks = topology::tasks(graph)?;
    let metrics = JobMetrics::of(graph);
    let (stop, stopped) = watch::channel(false);
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
            tails.insert(
                (t, instance),
                open_sink(graph, task, instance, connect, options, &metrics).await?,
            );
        }
    }
    let mut instances = Vec::new();
    for (t, task) in tasks.iter().enumerate() {
        for instance in 0..task.parallelism {
            let tail = tails.remove(&(t, instance)).flatten();
            let operators = task.operators(graph, &metrics)?;
            let head = match task.source(graph) {
                Some(node) => {
                    let parts = SourceParts {
                        graph,
                        node,
                        instance,
                        snapshot: None,
                    };
                    Head::Source(Box::new(
                        open_source(&parts, connect, options, &metrics).await?,
                    ))
                }
                None => Head::Channels(receivers.remove(&(t, instance)).unwrap_or_default()),
            };
            let output = Outputs {
                router: Router::new(graph, &tasks, t, instance)?,
                senders: HashMap::new(),
                tail,
            };
            let chain = Chain::new(operators, task, &tasks);
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
        let stopped = stopped.clone();
        match head {
            Head::Source(head) => set.spawn(run_source(
                *head,
                chain,
                output,
                stopped,
                Arc::clone(&clock),
            )),
            Head::Channels(receivers) => {
                set.spawn(run_task(receivers, chain, output, Arc::clone(&clock)))
            }
        };
    }
    Ok(Job {
        tasks: set,
        stop,
        metrics,
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
        counters,
    ))
}

pub(super) async fn open_sink(
    graph: &Graph,
    task: &Task,
    instance: usize,
    connect: &dyn Connect,
    options: &JobOptions,
    metrics: &JobMetrics,
) -> Result<Option<SinkTail>> {
    let Some(id) = task.sink(graph) else {
        return Ok(None);
    };
    let node = &graph.nodes[id];
    let Operation::Sink(sink) = &node.operation else {
        return Ok(None);
    };
    let writer = connect
        .sink(sink)?
        .writer(WriteRequest {
            instance,
            schema: Arc::clone(&node.schema),
            key: sink.key.clone(),
            job: JobContext::new("job", None),
        })
        .await?;
    let rows = metrics.sinks.get(&id).cloned().unwrap_or_default();
    Ok(Some(SinkTail::new(writer, sink, options.drop_nulls, rows)))
}

/// Where an instance's elements go.
struct Outputs {
    router: Router,
    senders: HashMap<Address, mpsc::Sender<Element>>,
    tail: Option<SinkTail>,
}

impl Outputs {
    /// Passes elements on, waiting where a channel is full; false where a receiver is gone, so that the task may end: the
    /// receiver's own error says why.
    async fn emit(&mut self, elements: Vec<Element>) -> Result<bool> {
        for element in elements {
            if let Some(tail) = &mut self.tail {
                match element {
                    Element::Batch(batch) => tail.write(batch).await?,
                    Element::Barrier(_) => tail.flush().await?,
                    Element::Watermark(_) | Element::End | Element::Aside(..) => {}
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
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn close(&mut self) -> Result<()> {
        match &mut self.tail {
            Some(tail) => tail.close().await,
            None => Ok(()),
        }
    }
}

async fn run_source(
    mut head: SourceHead,
    mut chain: Chain,
    mut output: Outputs,
    mut stopped: watch::Receiver<bool>,
    clock: Arc<dyn Clock>,
) -> Result<()> {
    let period = head
        .idle_check()
        .into_iter()
        .chain(chain.clock_period())
        .min();
    let mut elements = Vec::new();
    'run: while !chain.is_done() {
        let event = tokio::select! {
            biased;
            _ = stopped.wait_for(|s| *s) => break,
            event = head.next() => Some(event?),
            () = tick(period) => None,
        };
        match event {
            Some(event) => head.on_event(event, clock.now(), &mut elements)?,
            None => {
                head.on_tick(clock.now(), &mut elements);
                if !output.emit(chain.on_clock(clock.now())?).await? {
                    break;
                }
            }
        }
        for element in std::mem::take(&mut elements) {
            let step = chain.on_element(0, element)?;
            if !output.emit(step.out).await? {
                break 'run;
            }
        }
        // A source that always has rows must not keep the others from running.
        tokio::task::consume_budget().await;
    }
    stop(chain, output).await
}

/// Ends a task: what it held back for speed alone is still written where its input did not end by itself.
async fn stop(mut chain: Chain, mut output: Outputs) -> Result<()> {
    if !chain.is_done() {
        let held = chain.flush()?;
        output.emit(held).await?;
    }
    output.close().await
}

/// Waits for so many milliseconds; without a number for ever.
async fn tick(period: Option<u64>) {
    match period {
        Some(millis) => tokio::time::sleep(std::time::Duration::from_millis(millis)).await,
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
            && clock.now() - last_tick >= period as i64
        {
            last_tick = clock.now();
            if !output.emit(chain.on_clock(last_tick)?).await? {
                break;
            }
        }
        let blocked: Vec<bool> = (0..receivers.len()).map(|c| chain.is_blocked(c)).collect();
        let next = tokio::select! {
            biased;
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
            }) => next,
            () = tick(period) => continue,
        };
        match next {
            // The sender has stopped without an end: the job is being stopped, nothing more will come from it.
            Some((channel, None)) => receivers[channel] = None,
            Some((channel, Some(element))) => {
                first = channel + 1;
                let step = chain.on_element(channel, element)?;
                if !output.emit(step.out).await? {
                    break;
                }
            }
            None => break,
        }
    }
    stop(chain, output).await
}
