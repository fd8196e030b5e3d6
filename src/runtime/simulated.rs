//! The runtime of tests: one thread, a seeded scheduler that may take any runnable step next, and fail between any two.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use fastrand::Rng;

use super::coordinator::Committing;
use super::epochs::{Epochs, InstanceId, Order, Report};
use super::instance::{Effect, Event, Instance};
use super::opening::{Opening, open_sinks};
use super::recovery::recover;
use super::source::Standing;
use super::{Connect, JobMetrics, JobOptions, Snapshot, topology};
use crate::checkpoint::{JobState, Manifest};
use crate::connectors::{JobContext, SinkWriter, SourceReader};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::operators::Element;

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

/// An instance and its ends, in memory.
struct Running {
    instance: Instance,
    reader: Option<Box<dyn SourceReader>>,
    writer: Option<Box<dyn SinkWriter>>,
    channels: Vec<VecDeque<Element>>,
}

/// What an instance may do next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Read,
    Take(usize),
    Tick,
}

/// The instances of a job and the channels between them.
struct Machine {
    instances: BTreeMap<InstanceId, Running>,
    reports: Vec<Report>,
}

impl Machine {
    async fn open(opening: &Opening<'_>, now: i64) -> Result<Self> {
        let opened = opening.instances(now).await?.into_iter();
        let running = opened.map(|(id, one)| {
            let running = Running {
                instance: one.instance,
                reader: one.reader,
                writer: one.writer,
                channels: vec![VecDeque::new(); one.channels],
            };
            (id, running)
        });
        Ok(Self {
            instances: running.collect(),
            reports: Vec::new(),
        })
    }

    /// What may be done next.
    fn steps(&self, now: i64) -> Vec<(InstanceId, Step)> {
        let mut steps = Vec::new();
        for (id, running) in &self.instances {
            let instance = &running.instance;
            if instance.until_tick(now) == Some(0) {
                steps.push((*id, Step::Tick));
            }
            if instance.reads() {
                steps.push((*id, Step::Read));
            }
            let ready = |c: &usize| instance.takes(*c) && !running.channels[*c].is_empty();
            let channels = (0..running.channels.len()).filter(ready);
            steps.extend(channels.map(|c| (*id, Step::Take(c))));
        }
        steps
    }

    /// The sources that can send a barrier.
    fn sources(&self) -> Vec<InstanceId> {
        let reads = |(_, r): &(_, &Running)| r.instance.reads();
        let sources = self.instances.iter().filter(reads);
        sources.map(|(id, _)| *id).collect()
    }

    async fn step(&mut self, (id, step): (InstanceId, Step), now: i64) -> Result<()> {
        let Some(running) = self.instances.get_mut(&id) else {
            return Ok(());
        };
        let event = match (step, &mut running.reader) {
            (Step::Read, Some(reader)) => {
                let event = reader.next().await?;
                let standing = Standing::after(&mut **reader, &event);
                Event::Read(event, standing)
            }
            (Step::Take(channel), _) => match running.channels[channel].pop_front() {
                Some(element) => Event::Element(channel, element),
                None => return Ok(()),
            },
            _ => Event::Tick,
        };
        self.give(id, event, now).await
    }

    /// Gives a source an order.
    async fn order(&mut self, id: InstanceId, order: Order, now: i64) -> Result<()> {
        let reader = self.instances.get_mut(&id).and_then(|r| r.reader.as_mut());
        let Some(reader) = reader else { return Ok(()) };
        let standing = Standing::at(&mut **reader);
        self.give(id, Event::Order(order, standing), now).await
    }

    async fn give(&mut self, id: InstanceId, event: Event, now: i64) -> Result<()> {
        let Some(running) = self.instances.get_mut(&id) else {
            return Ok(());
        };
        running.instance.take(event, now)?;
        let mut sent = Vec::new();
        while let Some(effect) = running.instance.next_effect() {
            match (effect, &mut running.writer) {
                (Effect::Send(to, element), _) => sent.push((to, element)),
                (Effect::Report(report), _) => self.reports.push(report),
                (Effect::Write(batch), Some(writer)) => writer.write(&batch).await?,
                (Effect::Watermark(time), Some(writer)) => writer.watermark(time),
                (Effect::Prepare(epoch), Some(writer)) => {
                    let prepared = writer.prepare(epoch).await?;
                    running.instance.take(Event::Prepared(prepared), now)?;
                }
                (Effect::Close, Some(writer)) => writer.close().await?,
                (_, None) => {}
            }
        }
        for ((task, target, channel), element) in sent {
            if let Some(running) = self.instances.get_mut(&(task, target)) {
                running.channels[channel].push_back(element);
            }
        }
        Ok(())
    }

    /// An epoch is committed: sinks go on.
    async fn on_commit(&mut self, now: i64) -> Result<()> {
        let waits = |(_, r): &(_, &Running)| r.instance.waits_for().is_some();
        let waiting = self.instances.iter().filter(waits);
        let waiting: Vec<InstanceId> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            self.give(id, Event::Committed, now).await?;
        }
        Ok(())
    }

    fn stuck(&self) -> Error {
        let waiting = self.instances.iter().find(|(_, r)| !r.instance.has_ended());
        Error::internal(format!("task {:?} cannot go on", waiting.map(|(id, _)| id)))
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
    let metrics = JobMetrics::of(graph);
    let opening = Opening {
        graph,
        tasks: &tasks,
        connect,
        options,
        sinks: &open_sinks(graph, connect)?,
        committing: &BTreeMap::new(),
        context: &JobContext::new(&options.name, None),
        snapshot: simulation.restore.as_ref(),
        is_coordinated: true,
        metrics: &metrics,
    };
    let mut machine = Machine::open(&opening, 0).await?;
    let mut snapshot = simulation.cut_after.map(|_| Snapshot::default());
    let mut events = 0;
    loop {
        let steps = machine.steps(0);
        let Some((id, step)) = steps.get(random.usize(..steps.len().max(1))).copied() else {
            break;
        };
        let is_read = matches!(step, Step::Read);
        if is_read && simulation.cut_after.is_some_and(|cut| events >= cut) {
            let order = Order {
                epoch: 1,
                is_last: true,
            };
            machine.order(id, order, 0).await?;
        } else {
            events += usize::from(is_read);
            machine.step((id, step), 0).await?;
        }
        for report in machine.reports.drain(..) {
            let (Report::Barrier(_, _, state) | Report::End(_, state)) = report;
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
    if simulation.cut_after.is_none() && machine.instances.values().any(|r| !r.instance.has_ended())
    {
        return Err(machine.stuck());
    }
    Ok((snapshot, metrics))
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
    let opening = Opening {
        graph,
        tasks: &tasks,
        connect,
        options,
        sinks: &sinks,
        committing: &recovered.identities,
        context: &context,
        snapshot: Some(&recovered.snapshot),
        is_coordinated: true,
        metrics: &JobMetrics::of(graph),
    };
    let mut machine = Machine::open(&opening, now).await?;
    let mut epochs = Epochs::new(graph, &tasks, recovered.identities.clone());
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
        let steps = machine.steps(now);
        let may_move = !steps.is_empty();
        if may_move && random.u32(..4) > 0 {
            let step = steps[random.usize(..steps.len())];
            machine.step(step, now).await?;
        } else {
            taking = match taking {
                Taking::Nothing if epochs.is_finished() && is_last => {
                    return Ok(Attempt::Finished);
                }
                Taking::Nothing if epochs.is_finished() => {
                    is_last = true;
                    store(epochs.take(now), &mut committing, &stored)?
                }
                Taking::Nothing if (random.u32(..6) == 0 || !may_move) && epochs.begin() => {
                    let epoch = committing.as_ref().map_or(0, |c| c.next_epoch);
                    Taking::Barriers(epoch, machine.sources())
                }
                Taking::Nothing if !may_move => return Err(machine.stuck()),
                Taking::Nothing => Taking::Nothing,
                Taking::Barriers(epoch, mut left) => {
                    let sources = machine.sources();
                    left.retain(|id| sources.contains(id));
                    if !left.is_empty() {
                        let id = left.swap_remove(random.usize(..left.len()));
                        let is_last = false;
                        machine.order(id, Order { epoch, is_last }, now).await?;
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
                        machine.on_commit(now).await?;
                        Taking::Nothing
                    }
                },
            };
        }
        for report in machine.reports.drain(..) {
            match report {
                Report::Barrier(_, id, state) => epochs.acknowledge(id, *state),
                Report::End(id, state) => epochs.end(id, *state),
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
