//! The driver of tests: one thread, and a seed that decides which of all possible steps comes next. Between any two a job may be left.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;

use super::coordinator::{Coordinator, Effect as Coordinated, Event as Coordination, Now, Timing};
use super::epochs::{Epochs, InstanceId, Order, Report};
use super::instance::{Effect, Event, Instance};
use super::opening::{Opening, open_sinks, open_sources};
use super::recovery::{Outside, recover};
use super::router::Address;
use super::source::Standing;
use super::{Connect, JobMetrics, JobOptions, Snapshot, topology};
use crate::checkpoint::Request;
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

/// What happens to one run of a job from outside, after so many steps.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// It is to stop.
    pub stop_after: Option<usize>,
    /// Somebody asks for this.
    pub ask_after: Option<(usize, Request)>,
}

/// How one run of a job ended that takes checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It has read all its input, and all is committed.
    Finished,
    /// It was stopped, and what it has read is committed.
    Stopped,
}

/// An instance and its ends, in memory.
struct Running {
    instance: Instance,
    reader: Option<Box<dyn SourceReader>>,
    writer: Option<Box<dyn SinkWriter>>,
    channels: Vec<VecDeque<Element>>,
}

/// What may be done next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Read,
    Take(usize),
    Close(usize),
    Tick,
    Order(Order),
    Commit,
    Halt,
}

/// The instances of a job and the channels between them.
struct Machine {
    instances: BTreeMap<InstanceId, Running>,
    /// Who sends to which channel.
    senders: BTreeMap<Address, InstanceId>,
    reports: VecDeque<Report>,
    /// What the sources are told, and which of them know it.
    order: Order,
    known: BTreeMap<InstanceId, Order>,
    /// The epoch committed last.
    committed: u64,
    /// An instance has failed, and the others are to end.
    failed: Option<Error>,
}

impl Machine {
    async fn open(opening: &Opening<'_>, now: i64) -> Result<Self> {
        let mut senders = BTreeMap::new();
        let mut instances = BTreeMap::new();
        for (id, one) in opening.instances(now).await? {
            senders.extend(one.instance.addresses().map(|to| (to, id)));
            let running = Running {
                instance: one.instance,
                reader: one.reader,
                writer: one.writer,
                channels: vec![VecDeque::new(); one.channels],
            };
            instances.insert(id, running);
        }
        Ok(Self {
            instances,
            senders,
            reports: VecDeque::new(),
            order: Order::default(),
            known: BTreeMap::new(),
            committed: 0,
            failed: None,
        })
    }

    /// What may be done next.
    fn steps(&self, now: i64) -> Vec<(InstanceId, Step)> {
        let mut steps = Vec::new();
        for (id, running) in &self.instances {
            let instance = &running.instance;
            let mut may = |step| steps.push((*id, step));
            if instance.until_tick(now) == Some(0) {
                may(Step::Tick);
            }
            if instance.waits_for().is_some_and(|e| e <= self.committed) {
                may(Step::Commit);
            }
            if instance.reads() {
                if self.order != self.known.get(id).copied().unwrap_or_default() {
                    may(Step::Order(self.order));
                }
                may(if self.failed.is_some() {
                    Step::Halt
                } else {
                    Step::Read
                });
            }
            for (channel, elements) in running.channels.iter().enumerate() {
                let sender = self.senders.get(&(id.0, id.1, channel));
                if !instance.takes(channel) {
                } else if !elements.is_empty() {
                    may(Step::Take(channel));
                } else if sender.is_none_or(|s| !self.instances.contains_key(s)) {
                    may(Step::Close(channel));
                }
            }
        }
        steps
    }

    /// Does a step. Where it fails, the instance is gone.
    async fn step(&mut self, (id, step): (InstanceId, Step), now: i64) {
        if let Err(error) = self.try_step(id, step, now).await {
            self.instances.remove(&id);
            self.failed.get_or_insert(error);
        }
    }

    async fn try_step(&mut self, id: InstanceId, step: Step, now: i64) -> Result<()> {
        let Some(running) = self.instances.get_mut(&id) else {
            return Ok(());
        };
        let event = match (step, &mut running.reader) {
            (Step::Read, Some(reader)) => {
                let event = reader.next().await?;
                let standing = Standing::after(&mut **reader, &event);
                Event::Read(event, standing)
            }
            (Step::Order(order), Some(reader)) => {
                self.known.insert(id, order);
                Event::Order(order, Standing::at(&mut **reader))
            }
            (Step::Take(channel), _) => match running.channels[channel].pop_front() {
                Some(element) => Event::Element(channel, element),
                None => return Ok(()),
            },
            (Step::Close(channel), _) => Event::Closed(channel),
            (Step::Tick, _) => Event::Tick,
            (Step::Commit, _) => Event::Committed,
            (Step::Halt | Step::Read | Step::Order(_), _) => Event::Halt,
        };
        running.instance.take(event, now)?;
        let mut sent = Vec::new();
        while let Some(effect) = running.instance.next_effect()? {
            match (effect, &mut running.writer) {
                (Effect::Send(to, element), _) => sent.push((to, element)),
                (Effect::Report(report), _) => self.reports.push_back(report),
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
        let mut has_ended = running.instance.has_ended();
        for ((task, target, channel), element) in sent {
            if let Some(to) = self.instances.get_mut(&(task, target)) {
                to.channels[channel].push_back(element);
            } else if let Some(running) = self.instances.get_mut(&id) {
                // Nobody is there to take it.
                running.instance.take(Event::Halt, now)?;
                while running.instance.next_effect()?.is_some() {}
                has_ended |= running.instance.has_ended();
            }
        }
        if has_ended {
            self.instances.remove(&id);
        }
        Ok(())
    }

    fn stuck(&self) -> Error {
        let waiting = self.instances.keys().next();
        Error::internal(format!("task {waiting:?} cannot go on"))
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
        options,
        sources: &open_sources(graph, connect)?,
        sinks: &open_sinks(graph, connect)?,
        committing: &BTreeMap::new(),
        context: &JobContext::new(&options.name, None),
        snapshot: simulation.restore.as_ref(),
        epoch: Some(0),
        metrics: &metrics,
    };
    let mut machine = Machine::open(&opening, 0).await?;
    let mut snapshot = simulation.cut_after.map(|_| Snapshot::default());
    let mut events = 0;
    loop {
        if simulation.cut_after.is_some_and(|cut| events >= cut) {
            machine.order = Order {
                epoch: 1,
                is_last: true,
            };
        }
        let mut steps = machine.steps(0);
        if machine.order.is_last {
            steps.retain(|(_, step)| !matches!(step, Step::Read));
        }
        let Some(step) = steps.get(random.usize(..steps.len().max(1))).copied() else {
            break;
        };
        events += usize::from(matches!(step.1, Step::Read));
        machine.step(step, 0).await;
        if let Some(error) = machine.failed {
            return Err(error);
        }
        for report in machine.reports.drain(..) {
            let (Report::Barrier(_, _, state) | Report::End(_, state)) = report;
            if let Some(snapshot) = &mut snapshot {
                if let Some((node, partitions)) = state.source {
                    snapshot.sources.entry(node).or_default().extend(partitions);
                }
                for (node, parts) in state.operators {
                    let known = snapshot.watermarks.entry(node).or_insert(state.watermark);
                    *known = (*known).min(state.watermark);
                    let parts = parts
                        .iter()
                        .map(crate::state::TableSnapshot::part)
                        .collect::<Result<Vec<_>>>()?;
                    snapshot.operators.entry(node).or_default().extend(parts);
                }
            }
        }
    }
    if !machine.instances.is_empty() {
        return Err(machine.stuck());
    }
    Ok((snapshot, metrics))
}

/// What the coordinator may be told next.
#[derive(Debug, Clone, Copy)]
enum Told {
    Report,
    Due,
    Failed,
    Gone,
}

/// Rounds in which only time may pass: more, and the job is stuck.
const PATIENCE: usize = 1000;

/// Runs a job with checkpoints on from the one that holds, until its end. `seed` decides everything: the order of steps, how time
/// passes, and how far storing and committing get in between. Between any two steps the future waits once: whoever polls it may
/// drop it there, which is a crash, or leave it for a while and run another.
///
/// # Errors
/// As the job's: whoever simulates starts it again where production would. Or a job that cannot go on though it has not ended (a
/// bug).
pub async fn attempt(
    graph: &Graph,
    connect: &dyn Connect,
    options: &JobOptions,
    seed: u64,
    plan: &Plan,
) -> Result<Attempt> {
    let mut random = Rng::with_seed(seed);
    let Some(checkpoints) = &options.checkpoints else {
        return Err(Error::internal("a job without checkpoints"));
    };
    let tasks = topology::tasks(graph)?;
    let context = JobContext::new(&options.name, Some(checkpoints.interval));
    let sinks = open_sinks(graph, connect)?;
    let sources = open_sources(graph, connect)?;
    let ends = Outside {
        sources: &sources,
        sinks: &sinks,
    };
    let mut now = Now {
        elapsed: Duration::ZERO,
        clock: i64::from(random.u32(..)) * 1000,
    };
    let recovered = recover(graph, &ends, &context, checkpoints, now.clock, &|_| ()).await?;
    if recovered.restored.as_ref().is_some_and(|m| m.finished) {
        return Ok(Attempt::Finished);
    }
    let metrics = JobMetrics::of(graph);
    let opening = Opening {
        graph,
        tasks: &tasks,
        options,
        sources: &sources,
        sinks: &sinks,
        committing: &recovered.identities,
        context: &context,
        snapshot: Some(&recovered.snapshot),
        epoch: Some(recovered.next_epoch - 1),
        metrics: &metrics,
    };
    let mut machine = Machine::open(&opening, now.clock).await?;
    let timing = Timing {
        interval: checkpoints.interval,
        timeout: checkpoints.timeout,
    };
    let mut coordinator = Coordinator::new(
        Epochs::new(graph, &tasks, recovered.identities, recovered.places),
        timing,
        Arc::clone(&metrics.checkpoints),
        recovered.next_epoch,
        recovered.before,
    );
    let committing = Arc::new(recovered.committing);
    let mut works: Vec<Pin<Box<dyn Future<Output = Coordination>>>> = Vec::new();
    let (mut has_failed, mut are_gone, mut has_ended) = (false, false, false);
    let mut idle = 0;
    for count in 0usize.. {
        yield_now().await;
        // Time passes, and sometimes the clock is set back by an hour.
        now.elapsed += Duration::from_millis(random.u64(..200));
        now.clock += random.i64(0..2000) - if random.u32(..50) == 0 { 3_600_000 } else { 0 };
        let mut events = Vec::new();
        if plan.stop_after == Some(count) {
            events.push(Coordination::Stop);
        }
        if let Some((_, request)) = plan.ask_after.as_ref().filter(|(after, _)| *after == count) {
            events.push(Coordination::Asked(vec![("ask".into(), request.clone())]));
        }
        let steps = machine.steps(now.clock);
        let mut told = Vec::new();
        if !has_ended {
            if !machine.reports.is_empty() {
                told.push(Told::Report);
            } else if machine.instances.is_empty() && !are_gone {
                told.push(Told::Gone);
            }
            if coordinator.due().is_some_and(|due| due <= now.elapsed) {
                told.push(Told::Due);
            }
            if machine.failed.is_some() && !has_failed {
                told.push(Told::Failed);
            }
        }
        let may = steps.len() + works.len() + told.len();
        // Now and then time passes and nothing else happens.
        let choice = random.usize(..may + 1 + may / 8);
        if choice < steps.len() {
            machine.step(steps[choice], now.clock).await;
        } else if choice < steps.len() + works.len() {
            let at = choice - steps.len();
            if let Poll::Ready(event) = futures::poll!(works[at].as_mut()) {
                drop(works.swap_remove(at));
                events.push(event);
            }
        } else if choice < may {
            events.extend(match told[choice - steps.len() - works.len()] {
                Told::Report => machine.reports.pop_front().map(Coordination::Report),
                Told::Due => Some(Coordination::Due),
                Told::Failed => {
                    has_failed = true;
                    Some(Coordination::Failed)
                }
                Told::Gone => {
                    are_gone = true;
                    Some(Coordination::Gone)
                }
            });
        }
        idle = if may == 0 { idle + 1 } else { 0 };
        if idle > PATIENCE {
            return Err(machine.stuck());
        }
        for event in events {
            if !has_ended && let Err(error) = coordinator.take(event, now) {
                machine.failed.get_or_insert(error);
                has_ended = true;
            }
        }
        while let Some(effect) = coordinator.next_effect() {
            match effect {
                Coordinated::Order(order) => machine.order = order,
                Coordinated::Committed(epoch) => machine.committed = epoch,
                Coordinated::Publish(_) => {}
                Coordinated::Begin(work) => {
                    works.push(Box::pin(Arc::clone(&committing).perform(work)));
                }
            }
        }
        has_ended |= coordinator.has_ended();
        if has_ended {
            works.clear();
            // Nothing will be committed any more.
            let committed = machine.committed;
            let waits = |r: &Running| r.instance.waits_for().is_some_and(|e| e > committed);
            machine.instances.retain(|_, running| !waits(running));
            if machine.instances.is_empty() {
                break;
            }
        }
    }
    match machine.failed {
        Some(error) => Err(error),
        None if coordinator.has_finished() => Ok(Attempt::Finished),
        None => Ok(Attempt::Stopped),
    }
}

/// Waits once.
async fn yield_now() {
    let mut has_waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
