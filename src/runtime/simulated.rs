//! The runtime of tests: one thread, a seeded scheduler that may take any runnable step next, and fail between any two.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use fastrand::Rng;

use super::chain::Chain;
use super::coordinator::Committing;
use super::epochs::{Epochs, InstanceId, InstanceState};
use super::recovery::recover;
use super::router::Router;
use super::sink::SinkTail;
use super::source::SourceHead;
use super::threaded::{SinkParts, SourceParts, open_sink, open_sinks, open_source};
use super::topology::{self, Task};
use super::{Connect, JobMetrics, JobOptions, Snapshot};
use crate::checkpoint::{JobState, Manifest};
use crate::connectors::{JobContext, Sink};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId};
use crate::operators::Element;
use crate::time::Watermark;

/// How a simulated run goes.
#[derive(Debug, Clone, Default)]
pub struct Simulation {
    /// Decides every choice of the scheduler.
    pub seed: u64,
    /// Take a snapshot after so many source events and stop there.
    pub cut_after: Option<usize>,
    /// Go on from this snapshot.
    pub restore: Option<Snapshot>,
}

/// How one run of a job ends that takes checkpoints and may crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It read all its input, and all is committed.
    Finished,
    /// It crashed before this step.
    Crashed(usize),
}

struct Instance {
    head: Option<SourceHead>,
    source: Option<NodeId>,
    sink: Option<NodeId>,
    chain: Chain,
    channels: Vec<VecDeque<Element>>,
    router: Router,
    tail: Option<SinkTail>,
    /// A source that has been cut: it reads no more.
    is_cut: bool,
    has_ended: bool,
}

/// What an instance does next: reads, or takes from a channel.
type Step = (InstanceId, Option<usize>);

/// What has become of an instance.
enum Happened {
    Barrier(InstanceId, InstanceState),
    End(InstanceId, InstanceState),
}

/// The instances of a job and the channels between them.
struct Machine {
    instances: BTreeMap<InstanceId, Instance>,
    metrics: JobMetrics,
}

struct Opened<'a> {
    graph: &'a Graph,
    tasks: &'a [Task],
    connect: &'a dyn Connect,
    options: &'a JobOptions,
    sinks: &'a BTreeMap<NodeId, Arc<dyn Sink>>,
    /// The sinks whose rows become visible epoch by epoch.
    committing: &'a BTreeMap<NodeId, String>,
    context: &'a Arc<JobContext>,
    snapshot: Option<&'a Snapshot>,
}

impl Machine {
    async fn open(of: &Opened<'_>) -> Result<Self> {
        let metrics = JobMetrics::of(of.graph);
        let mut instances = BTreeMap::new();
        for (t, task) in of.tasks.iter().enumerate() {
            for i in 0..task.parallelism {
                let sink = task.sink(of.graph);
                let parts = SinkParts {
                    graph: of.graph,
                    sinks: of.sinks,
                    commits: sink.is_some_and(|s| of.committing.contains_key(&s)),
                    instance: i,
                    job: of.context,
                };
                let tail = open_sink(&parts, task, &metrics).await?;
                let source = task.source(of.graph);
                let head = match source {
                    Some(node) => {
                        let parts = SourceParts {
                            graph: of.graph,
                            node,
                            instance: i,
                            snapshot: of.snapshot,
                        };
                        Some(open_source(&parts, of.connect, of.options, &metrics).await?)
                    }
                    None => None,
                };
                let operators = task.operators(of.graph, &metrics)?;
                let mut chain =
                    Chain::new(operators, task, of.tasks, of.options.stays_open, of.graph);
                if let Some(snapshot) = of.snapshot {
                    chain.restore(|node| snapshot.of_instance(node, i, task.parallelism))?;
                }
                let instance = Instance {
                    head,
                    source,
                    sink,
                    chain,
                    channels: vec![VecDeque::new(); task.channels(of.tasks)],
                    router: Router::new(of.graph, of.tasks, t, i)?,
                    tail,
                    is_cut: false,
                    has_ended: false,
                };
                instances.insert((t, i), instance);
            }
        }
        Ok(Self { instances, metrics })
    }

    /// What may be done next.
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (id, instance) in &self.instances {
            let is_full = instance.tail.as_ref().is_some_and(SinkTail::is_full);
            if is_full {
                continue;
            }
            if instance.reads() {
                steps.push((*id, None));
            }
            let ready =
                |c: &usize| !instance.channels[*c].is_empty() && !instance.chain.is_blocked(*c);
            let channels = (0..instance.channels.len()).filter(ready);
            steps.extend(channels.map(|c| (*id, Some(c))));
        }
        steps
    }

    async fn take(&mut self, (id, channel): Step, now: i64) -> Result<Vec<Happened>> {
        let Some(instance) = self.instances.get_mut(&id) else {
            return Ok(Vec::new());
        };
        let mut elements = Vec::new();
        match (channel, &mut instance.head) {
            (Some(channel), _) => {
                let element = instance.channels[channel].pop_front();
                elements.extend(element.map(|e| (channel, e)));
            }
            (None, Some(head)) => {
                let mut out = Vec::new();
                let event = head.next().await?;
                head.on_event(event, now, &mut out)?;
                elements.extend(out.into_iter().map(|e| (0, e)));
            }
            (None, None) => {}
        }
        self.feed(id, elements).await
    }

    /// Sends a barrier from a source; `is_cut`: nothing follows it.
    async fn barrier(&mut self, id: InstanceId, epoch: u64, is_cut: bool) -> Result<Vec<Happened>> {
        let mut elements = Vec::new();
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.is_cut = is_cut;
            if let Some(head) = &mut instance.head {
                head.take_bad_rows(&mut elements);
            }
        }
        elements.push(Element::Barrier(epoch));
        let elements = elements.into_iter().map(|e| (0, e)).collect();
        self.feed(id, elements).await
    }

    async fn feed(
        &mut self,
        id: InstanceId,
        elements: Vec<(usize, Element)>,
    ) -> Result<Vec<Happened>> {
        let mut happened = Vec::new();
        let mut sent = Vec::new();
        let Some(instance) = self.instances.get_mut(&id) else {
            return Ok(happened);
        };
        for (channel, element) in elements {
            let barrier = match &element {
                Element::Barrier(_) | Element::End => instance.positions(),
                _ => None,
            };
            let step = instance.chain.on_element(channel, element)?;
            let epoch = step.out.iter().find_map(|e| match e {
                Element::Barrier(epoch) => Some(*epoch),
                _ => None,
            });
            for element in step.out {
                match (&mut instance.tail, element) {
                    (Some(tail), Element::Batch(batch)) => tail.write(batch).await?,
                    (Some(tail), Element::Watermark(Watermark::At(time))) => tail.watermark(time),
                    (Some(_), _) => {}
                    (None, element) => instance
                        .router
                        .route(&element, |to, part| sent.push((to, part)))?,
                }
            }
            if let (Some(epoch), Some(operators)) = (epoch, step.snapshot) {
                let prepared = instance.prepare(epoch).await?;
                let state = InstanceState {
                    source: barrier,
                    operators,
                    prepared,
                };
                happened.push(Happened::Barrier(id, state));
            }
        }
        for ((task, target, channel), element) in sent {
            if let Some(instance) = self.instances.get_mut(&(task, target)) {
                instance.channels[channel].push_back(element);
            }
        }
        happened.extend(self.end(id).await?);
        Ok(happened)
    }

    /// Ends an instance that is done and waits for no commit.
    async fn end(&mut self, id: InstanceId) -> Result<Option<Happened>> {
        let Some(instance) = self.instances.get_mut(&id) else {
            return Ok(None);
        };
        let waits = instance.tail.as_ref().and_then(SinkTail::waits_for);
        if instance.has_ended || !instance.chain.is_done() || waits.is_some() {
            return Ok(None);
        }
        instance.has_ended = true;
        let state = InstanceState {
            source: instance.positions(),
            operators: Vec::new(),
            prepared: instance.prepare(u64::MAX).await?,
        };
        Ok(Some(Happened::End(id, state)))
    }

    /// An epoch is committed: sinks go on.
    async fn on_commit(&mut self) -> Result<Vec<Happened>> {
        let mut happened = Vec::new();
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in ids {
            if let Some(tail) = self.instances.get_mut(&id).and_then(|i| i.tail.as_mut())
                && tail.waits_for().is_some()
            {
                tail.on_commit().await?;
            }
            happened.extend(self.end(id).await?);
        }
        Ok(happened)
    }

    async fn close(&mut self) -> Result<()> {
        for instance in self.instances.values_mut() {
            if let Some(tail) = &mut instance.tail {
                tail.close().await?;
            }
        }
        Ok(())
    }

    fn stuck(&self) -> Error {
        let waiting = self.instances.iter().find(|(_, i)| !i.chain.is_done());
        Error::internal(format!("task {:?} cannot go on", waiting.map(|(id, _)| id)))
    }
}

impl Instance {
    fn reads(&self) -> bool {
        self.head.is_some() && !self.chain.is_done() && !self.is_cut
    }

    fn positions(&self) -> Option<(NodeId, Vec<crate::checkpoint::PartitionPosition>)> {
        Some((self.source?, self.head.as_ref()?.snapshot()))
    }

    async fn prepare(&mut self, epoch: u64) -> Result<Option<(NodeId, String)>> {
        match (&mut self.tail, self.sink) {
            (Some(tail), Some(sink)) => Ok(tail.prepare(epoch).await?.map(|text| (sink, text))),
            _ => Ok(None),
        }
    }
}

/// Runs a bounded job to its end, or to the cut; returns the snapshot taken there.
///
/// # Errors
/// As the job's; or a job that cannot go on though it has not ended (a bug).
pub async fn simulate(
    graph: &Graph,
    connect: &dyn Connect,
    options: &JobOptions,
    simulation: &Simulation,
) -> Result<(Option<Snapshot>, JobMetrics)> {
    let mut random = Rng::with_seed(simulation.seed);
    let tasks = topology::tasks(graph)?;
    let mut machine = Machine::open(&Opened {
        graph,
        tasks: &tasks,
        connect,
        options,
        sinks: &open_sinks(graph, connect)?,
        committing: &BTreeMap::new(),
        context: &JobContext::new(&options.name, None),
        snapshot: simulation.restore.as_ref(),
    })
    .await?;
    let mut snapshot = simulation.cut_after.map(|_| Snapshot::default());
    let mut events = 0;
    loop {
        let steps = machine.steps();
        let Some((id, channel)) = steps.get(random.usize(..steps.len().max(1))).copied() else {
            break;
        };
        let happened = match channel {
            None if simulation.cut_after.is_some_and(|cut| events >= cut) => {
                machine.barrier(id, 1, true).await?
            }
            _ => {
                events += usize::from(channel.is_none());
                machine.take((id, channel), 0).await?
            }
        };
        for one in happened {
            let (Happened::Barrier(_, state) | Happened::End(_, state)) = one;
            if let Some(snapshot) = &mut snapshot {
                if let Some((node, partitions)) = state.source {
                    snapshot.sources.entry(node).or_default().extend(partitions);
                }
                for (node, parts) in state.operators {
                    snapshot.operators.entry(node).or_default().extend(parts);
                }
            }
        }
    }
    let is_done = machine.instances.values().all(|i| i.chain.is_done());
    if simulation.cut_after.is_none() && !is_done {
        return Err(machine.stuck());
    }
    machine.close().await?;
    Ok((snapshot, machine.metrics))
}

/// A checkpoint on its way.
enum Taking<'a> {
    /// None is.
    Nothing,
    /// Barriers are to be sent by these sources.
    Barriers(u64, Vec<InstanceId>),
    /// It is being stored, piece by piece.
    Storing(JobState, Work<'a, Manifest>),
    /// Its output is being made visible.
    Committing(Work<'a, Committing>),
}

type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// Runs a job with checkpoints on from the one that holds, until its end or the crash. `random` decides everything: the order of
/// steps, when checkpoints are taken, and how far storing and committing get in between. A crash drops all that is under way.
///
/// # Errors
/// As the job's: whoever simulates starts it again where production would.
pub async fn attempt(
    graph: &Graph,
    connect: &dyn Connect,
    options: &JobOptions,
    random: &mut Rng,
    crash_after: Option<usize>,
) -> Result<Attempt> {
    let Some(checkpoints) = &options.checkpoints else {
        return Err(Error::internal("a job without checkpoints"));
    };
    let tasks = topology::tasks(graph)?;
    let context = JobContext::new(&options.name, Some(checkpoints.interval));
    let sinks = open_sinks(graph, connect)?;
    let mut now = i64::from(random.u32(..)) * 1000;
    let mut work: Work<'_, _> =
        Box::pin(recover(graph, &sinks, &context, checkpoints, now, &|_| ()));
    let recovered = loop {
        match poll(&mut work) {
            Poll::Ready(recovered) => break recovered?,
            Poll::Pending if crash_after.is_some() && random.u32(..30) == 0 => {
                return Ok(Attempt::Crashed(0));
            }
            Poll::Pending => {}
        }
    };
    if recovered.restored.as_ref().is_some_and(|m| m.finished) {
        return Ok(Attempt::Finished);
    }
    let mut machine = Machine::open(&Opened {
        graph,
        tasks: &tasks,
        connect,
        options,
        sinks: &sinks,
        committing: &recovered.identities,
        context: &context,
        snapshot: Some(&recovered.snapshot),
    })
    .await?;
    let mut epochs = Epochs::new(graph, &tasks, recovered.identities);
    // Out of here while a checkpoint is being stored or committed.
    let mut committing = Some(recovered.committing);
    let stored = std::cell::RefCell::new(None);
    let mut taking = Taking::Nothing;
    let mut is_last = false;
    for count in 0usize.. {
        if crash_after == Some(count) {
            return Ok(Attempt::Crashed(count));
        }
        // Time passes, and sometimes the clock is set back by an hour.
        now += random.i64(0..2000) - if random.u32(..50) == 0 { 3_600_000 } else { 0 };
        let mut happened = Vec::new();
        let steps = machine.steps();
        let may_move = !steps.is_empty();
        if may_move && random.u32(..4) > 0 {
            let step = steps[random.usize(..steps.len())];
            happened = machine.take(step, now).await?;
        } else {
            taking = match taking {
                Taking::Nothing if epochs.is_finished() && is_last => {
                    machine.close().await?;
                    return Ok(Attempt::Finished);
                }
                Taking::Nothing if epochs.is_finished() => {
                    is_last = true;
                    store(epochs.take(now), &mut committing, &stored)?
                }
                Taking::Nothing if (random.u32(..6) == 0 || !may_move) && epochs.begin() => {
                    let sources = machine.instances.iter().filter(|(_, i)| i.reads());
                    let epoch = committing.as_ref().map_or(0, |c| c.next_epoch);
                    Taking::Barriers(epoch, sources.map(|(id, _)| *id).collect())
                }
                Taking::Nothing if !may_move => return Err(machine.stuck()),
                Taking::Nothing => Taking::Nothing,
                Taking::Barriers(epoch, mut left) => {
                    left.retain(|id| machine.instances.get(id).is_some_and(Instance::reads));
                    if !left.is_empty() {
                        let id = left.swap_remove(random.usize(..left.len()));
                        happened = machine.barrier(id, epoch, false).await?;
                        Taking::Barriers(epoch, left)
                    } else if epochs.is_complete() {
                        is_last = epochs.is_finished();
                        store(epochs.take(now), &mut committing, &stored)?
                    } else if may_move {
                        Taking::Barriers(epoch, left)
                    } else {
                        return Err(machine.stuck());
                    }
                }
                Taking::Storing(state, mut work) => match poll(&mut work) {
                    Poll::Pending => Taking::Storing(state, work),
                    Poll::Ready(Err(e)) if e.kind == crate::error::ErrorKind::External => {
                        drop(work);
                        committing = stored.borrow_mut().take();
                        store(state, &mut committing, &stored)?
                    }
                    Poll::Ready(Err(e)) => return Err(e),
                    Poll::Ready(Ok(manifest)) => {
                        drop(work);
                        let Some(mut owned) = stored.borrow_mut().take() else {
                            return Err(Error::internal("the committer is gone"));
                        };
                        Taking::Committing(Box::pin(async move {
                            owned.commit(manifest).await?;
                            Ok(owned)
                        }))
                    }
                },
                Taking::Committing(mut work) => match poll(&mut work) {
                    Poll::Pending => Taking::Committing(work),
                    Poll::Ready(done) => {
                        committing = Some(done?);
                        happened = machine.on_commit().await?;
                        Taking::Nothing
                    }
                },
            };
        }
        for one in happened {
            match one {
                Happened::Barrier(id, state) => epochs.acknowledge(id, state),
                Happened::End(id, state) => epochs.end(id, state),
            }
        }
    }
    Err(Error::internal("a simulation without an end"))
}

/// Begins to store what a checkpoint holds. `stored` gets the committing back when that has ended.
fn store<'a>(
    state: JobState,
    committing: &mut Option<Committing>,
    stored: &'a std::cell::RefCell<Option<Committing>>,
) -> Result<Taking<'a>> {
    let Some(owned) = committing.take() else {
        return Err(Error::internal("two checkpoints at once"));
    };
    let copy = state.clone();
    let work = async move {
        let result = owned.store(&copy).await;
        *stored.borrow_mut() = Some(owned);
        result
    };
    Ok(Taking::Storing(state, Box::pin(work)))
}

/// One step of work.
fn poll<T>(work: &mut Work<'_, T>) -> Poll<Result<T>> {
    let waker = futures::task::noop_waker();
    work.as_mut().poll(&mut Context::from_waker(&waker))
}
