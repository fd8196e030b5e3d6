//! The driver of production: one tokio task for each instance and the coordinator, bounded channels between them.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::committing::Committing;
use super::coordinator::{Coordinator, Effect as Coordinated, Event as Coordination, Now, Timing};
use super::epochs::{Epochs, InstanceId, Order, Report};
use super::instance::{Effect, Event, Instance};
use super::opening::{Opening, open_sinks, open_sources};
use super::recovery::{Outside, recover};
use super::router::Address;
use super::source::Standing;
use super::spent::{TaskTime, Wait};
use super::{Changes, Connect, EpochView, JobMetrics, JobOptions, Views, topology};
use crate::checkpoint::{Location, Manifest, Request};
use crate::clock::Clock;
use crate::connectors::{JobContext, SinkWriter, SourceEvent, SourceReader};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::operators::Element;

/// Elements a channel holds before the sender waits.
const CHANNEL_CAPACITY: usize = 8;

/// How often the job looks for requests: in a local folder, and elsewhere, where looking costs.
const LOOK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

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
    let sources = open_sources(graph, connect)?;
    let ends = Outside {
        sources: &sources,
        sinks: &sinks,
    };
    let mut recovered = match &options.checkpoints {
        Some(checkpoints) => {
            Some(recover(graph, &ends, &context, checkpoints, clock.now(), told).await?)
        }
        None => None,
    };
    if let Some(recovered) = &recovered {
        let epoch = recovered.next_epoch - 1;
        let restored = EpochView::restored(graph, &recovered.snapshot, epoch)?;
        metrics.views.publish(Arc::new(restored));
        metrics.checkpoints.epoch.store(epoch, Relaxed);
    }
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
    let total: usize = tasks.iter().map(|t| t.parallelism).sum();
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

    let opening = Opening {
        graph,
        tasks: &tasks,
        options,
        sources: &sources,
        sinks: &sinks,
        committing: &identities,
        context: &context,
        snapshot,
        epoch: recovered.as_ref().map(|r| r.next_epoch - 1),
        metrics: &metrics,
    };
    let opened = opening.instances(clock.now()).await?;
    let mut senders: HashMap<Address, mpsc::Sender<Element>> = HashMap::new();
    let mut receivers: HashMap<InstanceId, Vec<mpsc::Receiver<Element>>> = HashMap::new();
    for (id, one) in &opened {
        let inputs = receivers.entry(*id).or_default();
        for channel in 0..one.channels {
            let (sender, receiver) = mpsc::channel(CHANNEL_CAPACITY);
            senders.insert((id.0, id.1, channel), sender);
            inputs.push(receiver);
        }
    }
    let mut set = JoinSet::new();
    for (id, one) in opened {
        let addresses = one.instance.addresses();
        let mine = addresses.filter_map(|to| Some((to, senders.remove(&to)?)));
        let first = tasks[id.0].nodes.first();
        let time = first.and_then(|node| metrics.times.get(node)).cloned();
        let time = time.unwrap_or_default();
        let ends = Ends {
            senders: mine.collect(),
            receivers: receivers.remove(&id).unwrap_or_default(),
            first: 0,
            reader: one.reader,
            writer: one.writer,
            reports: recovered.as_ref().map(|_| reports.clone()),
            committed: committed.clone(),
            halted: halted.clone(),
            ordered: ordered.clone(),
            clock: Arc::clone(&clock),
            time: Arc::clone(&time),
            number: id.1,
        };
        set.spawn(async move {
            let driven = drive(one.instance, ends);
            time.measured(id.1, driven).await
        });
    }
    drop(reports);
    if let (Some(recovered), Some(checkpoints)) = (recovered, &options.checkpoints) {
        let timing = Timing {
            interval: checkpoints.interval,
            timeout: checkpoints.timeout,
        };
        let epochs = Epochs::new(graph, &tasks, recovered.identities, recovered.places);
        let coordinator = Coordinator::new(
            epochs,
            timing,
            Arc::clone(&metrics.checkpoints),
            recovered.next_epoch,
            recovered.before,
        );
        let surroundings = Surroundings {
            reports: reported,
            orders,
            committed: commits,
            stop: stopped,
            halted,
            committing: Arc::new(recovered.committing),
            clock,
            views: Arc::clone(&metrics.views),
            wanted: Arc::clone(&checkpoints.wanted),
        };
        set.spawn(coordinate(coordinator, surroundings));
    }
    Ok(Job {
        tasks: set,
        stop,
        halt,
        metrics,
        restored,
    })
}

/// The outside of an instance.
struct Ends {
    senders: HashMap<Address, mpsc::Sender<Element>>,
    receivers: Vec<mpsc::Receiver<Element>>,
    /// The channel that is looked at first, so that each has its turn.
    first: usize,
    reader: Option<Box<dyn SourceReader>>,
    writer: Option<Box<dyn SinkWriter>>,
    /// To the coordinator, where there is one.
    reports: Option<mpsc::Sender<Report>>,
    committed: watch::Receiver<u64>,
    halted: watch::Receiver<bool>,
    ordered: watch::Receiver<Order>,
    clock: Arc<dyn Clock>,
    /// What the instances of its task do with their time.
    time: Arc<TaskTime>,
    /// Which of them it is.
    number: usize,
}

/// Runs an instance until it has ended, or what it waits for cannot come any more.
async fn drive(mut instance: Instance, mut ends: Ends) -> Result<()> {
    loop {
        ends.perform(&mut instance).await?;
        if instance.has_ended() {
            return Ok(());
        }
        let Some(event) = ends.next(&mut instance).await? else {
            return Ok(());
        };
        instance.take(event, ends.clock.now())?;
        // An instance that always has something to do must not keep the others from running.
        tokio::task::consume_budget().await;
    }
}

impl Ends {
    /// Does what the instance asks for, waiting where a channel is full.
    async fn perform(&mut self, instance: &mut Instance) -> Result<()> {
        let done = self.perform_all(instance).await;
        self.time.waits(self.number, Wait::Input);
        done
    }

    async fn perform_all(&mut self, instance: &mut Instance) -> Result<()> {
        while let Some(effect) = instance.next_effect()? {
            let wait = match &effect {
                Effect::Send(..) => Wait::Channel,
                _ => Wait::Outside,
            };
            self.time.waits(self.number, wait);
            let is_gone = match (effect, &mut self.writer) {
                (Effect::Send(address, element), _) => match self.senders.get(&address) {
                    Some(sender) => sender.send(element).await.is_err(),
                    None => false,
                },
                (Effect::Report(report), _) => match &self.reports {
                    Some(reports) => reports.send(report).await.is_err(),
                    None => false,
                },
                (Effect::Write(batch), Some(writer)) => {
                    writer.write(&batch).await?;
                    false
                }
                (Effect::Watermark(time), Some(writer)) => {
                    writer.watermark(time);
                    false
                }
                (Effect::Prepare(epoch), Some(writer)) => {
                    let prepared = writer.prepare(epoch).await?;
                    instance.take(Event::Prepared(prepared), self.clock.now())?;
                    false
                }
                (Effect::Close, Some(writer)) => {
                    writer.close().await?;
                    false
                }
                (_, None) => false,
            };
            if is_gone {
                // Whoever has gone says why.
                self.senders.clear();
                self.reports = None;
                instance.take(Event::Halt, self.clock.now())?;
            }
        }
        Ok(())
    }

    /// What happens next; `None`: what the instance waits for cannot come any more. Dropping the future loses nothing.
    async fn next(&mut self, instance: &mut Instance) -> Result<Option<Event>> {
        let wait = instance.until_tick(self.clock.now());
        if wait == Some(0) {
            return Ok(Some(Event::Tick));
        }
        let reads = self.reader.as_mut().filter(|_| instance.reads());
        let is_source = reads.is_some();
        let waits_for = instance.waits_for();
        let read = async {
            match reads {
                Some(reader) => reader.next().await,
                None => std::future::pending().await,
            }
        };
        let happened = tokio::select! {
            biased;
            _ = self.halted.wait_for(|h| *h), if is_source => Happened::Event(Event::Halt),
            committed = commit(&mut self.committed, waits_for) => {
                return Ok(committed.then_some(Event::Committed));
            }
            Ok(()) = self.ordered.changed(), if is_source => Happened::Ordered,
            event = read, if is_source => Happened::Read(event?),
            (channel, element) = receive(&mut self.receivers, self.first, instance) => {
                self.first = channel + 1;
                Happened::Event(match element {
                    Some(element) => Event::Element(channel, element),
                    None => Event::Closed(channel),
                })
            }
            () = sleep(wait) => Happened::Event(Event::Tick),
        };
        Ok(Some(match (happened, &mut self.reader) {
            (Happened::Ordered, Some(reader)) => {
                let order = *self.ordered.borrow_and_update();
                Event::Order(order, Standing::at(&mut **reader))
            }
            (Happened::Read(event), Some(reader)) => {
                let standing = Standing::after(&mut **reader, &event);
                Event::Read(event, standing)
            }
            (Happened::Event(event), _) => event,
            (_, None) => Event::Halt,
        }))
    }
}

/// What an instance is woken by.
#[allow(clippy::large_enum_variant, reason = "nearly all of them are batches")]
enum Happened {
    Event(Event),
    Ordered,
    Read(SourceEvent),
}

/// Waits until this epoch is committed; false: it never will be.
async fn commit(committed: &mut watch::Receiver<u64>, epoch: Option<u64>) -> bool {
    match epoch {
        Some(epoch) => committed.wait_for(|c| *c >= epoch).await.is_ok(),
        None => std::future::pending().await,
    }
}

/// Waits for so many milliseconds; without a number for ever.
async fn sleep(millis: Option<u64>) {
    match millis {
        Some(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        None => std::future::pending().await,
    }
}

/// What comes through any channel that the instance takes from; without an element its sender has gone.
async fn receive(
    receivers: &mut [mpsc::Receiver<Element>],
    first: usize,
    instance: &mut Instance,
) -> (usize, Option<Element>) {
    let n = receivers.len();
    poll_fn(move |context| {
        for channel in (0..n).map(|i| (first + i) % n) {
            if instance.takes(channel)
                && let Poll::Ready(element) = receivers[channel].poll_recv(context)
            {
                return Poll::Ready((channel, element));
            }
        }
        Poll::Pending
    })
    .await
}

/// The outside of the coordinator.
struct Surroundings {
    reports: mpsc::Receiver<Report>,
    orders: watch::Sender<Order>,
    /// To the sinks: the epoch committed last.
    committed: watch::Sender<u64>,
    stop: watch::Receiver<bool>,
    halted: watch::Receiver<bool>,
    committing: Arc<Committing>,
    clock: Arc<dyn Clock>,
    views: Arc<Views>,
    /// Notified when somebody waits for a checkpoint.
    wanted: Arc<Notify>,
}

/// Runs the coordinator until it has ended. What it has begun goes on while it hears of other things.
async fn coordinate(mut coordinator: Coordinator, mut around: Surroundings) -> Result<()> {
    let begun = Instant::now();
    let folder = around.committing.checkpoints.location.clone();
    let mut look = tokio::time::interval(if folder.is_local() { LOOK.0 } else { LOOK.1 });
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut is_looking, mut is_stopped, mut is_halted, mut are_gone) =
        (false, false, false, false);
    let mut works = FuturesUnordered::<BoxFuture<'static, Coordination>>::new();
    loop {
        while let Some(effect) = coordinator.next_effect() {
            match effect {
                Coordinated::Order(order) => drop(around.orders.send_replace(order)),
                Coordinated::Committed(epoch) => drop(around.committed.send_replace(epoch)),
                Coordinated::Publish(view) => around.views.publish(view),
                Coordinated::Begin(work) => {
                    works.push(Arc::clone(&around.committing).perform(work).boxed());
                }
            }
        }
        if coordinator.has_ended() {
            return Ok(());
        }
        let due = coordinator.due().map(|due| begun + due);
        let event = tokio::select! {
            report = around.reports.recv(), if !are_gone => {
                are_gone = report.is_none();
                report.map_or(Coordination::Gone, Coordination::Report)
            }
            _ = around.stop.wait_for(|s| *s), if !is_stopped => {
                is_stopped = true;
                Coordination::Stop
            }
            _ = around.halted.wait_for(|h| *h), if !is_halted => {
                is_halted = true;
                Coordination::Failed
            }
            Some(event) = works.next() => {
                is_looking &= !matches!(event, Coordination::Asked(_));
                event
            }
            () = around.wanted.notified() => Coordination::Wanted,
            () = sleep_until(due) => Coordination::Due,
            _ = look.tick(), if coordinator.may_be_asked() && !is_looking => {
                is_looking = true;
                works.push(waiting(folder.clone()).map(Coordination::Asked).boxed());
                continue;
            }
        };
        let now = Now {
            elapsed: begun.elapsed(),
            clock: around.clock.now(),
        };
        coordinator.take(event, now)?;
    }
}

/// The requests that wait. Whoever asked is told that they were seen.
async fn waiting(folder: Location) -> Vec<(String, Request)> {
    let waiting = Request::waiting(&folder).await.unwrap_or_default();
    for (name, _) in &waiting {
        if let Err(error) = Request::see(&folder, name).await {
            tracing::warn!("whoever asks cannot be told that the job has seen it: {error}");
        }
    }
    waiting
}

/// Waits until then; without a time for ever.
async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
