//! Decides when a checkpoint is taken and what follows: barriers out, state in, stored, committed. One at a time, without IO.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::EpochView;
use super::epochs::{Epochs, Order, Report};
use crate::checkpoint::{Answer, JobState, Manifest, Request};
use crate::error::{Error, ErrorKind, Result};

/// How long storing waits before it is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Counters of a job's checkpoints, read from outside while it runs.
#[derive(Debug, Default)]
pub struct CheckpointMetrics {
    /// How many are complete.
    pub completed: AtomicU64,
    /// The number of the last one.
    pub epoch: AtomicU64,
    /// The bytes of state it refers to.
    pub bytes: AtomicU64,
    /// How many of them it wrote itself.
    pub new_bytes: AtomicU64,
    /// How long it took from its barrier to the commit, in milliseconds.
    pub millis: AtomicU64,
    /// When it was committed, in milliseconds since the epoch; 0: there is none.
    pub finished: AtomicI64,
    /// How long all of them took, in milliseconds.
    pub total_millis: AtomicU64,
    /// How many bytes all of them wrote.
    pub total_bytes: AtomicU64,
    /// How often storing one had to be tried again.
    pub retries: AtomicU64,
}

/// What happens to the coordinator.
#[derive(Debug)]
pub enum Event {
    /// An instance tells this.
    Report(Report),
    /// It is time for [`Coordinator::due`].
    Due,
    /// The job is to end with a last checkpoint.
    Stop,
    /// Somebody asks for these, by name. May be told more than once.
    Asked(Vec<(String, Request)>),
    /// What came of [`Work::Store`].
    Stored(Result<Manifest>),
    /// What came of [`Work::Commit`].
    Committed(Result<()>),
    /// [`Work::Tell`] is done.
    Told,
    /// Somebody waits for a checkpoint: the next one is taken as soon as that costs the job little.
    Wanted,
    /// What came of [`Work::Save`]: where the savepoint is.
    Saved(Result<String>),
    /// What came of [`Work::Answer`].
    Answered(String, Answer, Result<()>),
    /// An instance has failed: the job ends.
    Failed,
    /// All instances are gone.
    Gone,
}

/// What the coordinator asks for.
#[derive(Debug)]
pub enum Effect {
    /// Tell the sources.
    Order(Order),
    /// Tell the sinks that this epoch is committed.
    Committed(u64),
    /// Show others the managed tables as they are now.
    Publish(Arc<EpochView>),
    /// Begin this. Other things happen meanwhile.
    Begin(Work),
}

/// What takes a while.
#[derive(Debug)]
pub enum Work {
    /// Store this.
    Store(Arc<Unstored>),
    /// Make the output of this visible.
    Commit(Arc<Manifest>),
    /// Tell the sources that this is committed.
    Tell(Arc<Manifest>),
    /// Copy this to a savepoint, there or beside the checkpoints.
    Save(Arc<Manifest>, Option<String>),
    /// Answer the request of this name.
    Answer(String, Answer),
}

/// A checkpoint to be stored.
#[derive(Debug)]
pub struct Unstored {
    /// Its number.
    pub epoch: u64,
    /// What it holds.
    pub state: Arc<JobState>,
    /// What it follows on.
    pub before: Option<Arc<Manifest>>,
}

/// How checkpoints are taken.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From the beginning of one to that of the next.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
}

/// The time, as the coordinator is told it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// Since the job began. Never goes back.
    pub elapsed: Duration,
    /// The clock, in milliseconds since the epoch.
    pub clock: i64,
}

/// Where the checkpoint under way stands.
#[derive(Debug)]
enum Phase {
    /// There is none.
    Idle,
    /// Its barrier is on its way through the job.
    Aligning,
    /// It is being stored.
    Storing(Arc<Unstored>),
    /// That failed; it is tried again at this time.
    Retrying(Arc<Unstored>, Duration),
    /// Its output is being made visible.
    Committing(Arc<Manifest>),
    /// It is being copied to a savepoint.
    Saving(u64),
}

/// Takes checkpoints until the job has ended or is to stop.
pub struct Coordinator {
    timing: Timing,
    epochs: Epochs,
    metrics: Arc<CheckpointMetrics>,
    next_epoch: u64,
    /// The checkpoint that the next one follows on.
    before: Option<Arc<Manifest>>,
    phase: Phase,
    /// The managed tables as they are in it.
    view: Option<Arc<EpochView>>,
    /// When the checkpoint under way was begun.
    begun: Duration,
    /// When the next one is due.
    due: Duration,
    /// When it may be taken at the earliest, though somebody waits for it.
    earliest: Duration,
    is_wanted: bool,
    /// The sources are being told of a commit.
    is_telling: bool,
    /// The newest commit that they have not been told of.
    untold: Option<Arc<Manifest>>,
    /// How long to wait before storing is tried again.
    retry: Duration,
    /// The sources were told to send a barrier after which nothing follows.
    is_last: bool,
    is_stopping: bool,
    has_failed: bool,
    are_gone: bool,
    /// Requests not answered yet; the first is being served where `is_serving`.
    asked: VecDeque<(String, Request)>,
    is_serving: bool,
    /// Answers on their way.
    answering: usize,
    /// Answers that could not be given, by the request's name.
    unheard: BTreeMap<String, Answer>,
    effects: VecDeque<Effect>,
    is_done: bool,
}

impl Coordinator {
    /// Of a job none of whose instances has ended. `before`: the checkpoint it follows on.
    pub fn new(
        epochs: Epochs,
        timing: Timing,
        metrics: Arc<CheckpointMetrics>,
        next_epoch: u64,
        before: Option<Manifest>,
    ) -> Self {
        Self {
            timing,
            epochs,
            metrics,
            next_epoch,
            before: before.map(Arc::new),
            phase: Phase::Idle,
            view: None,
            begun: Duration::ZERO,
            due: timing.interval,
            earliest: Duration::ZERO,
            is_wanted: false,
            is_telling: false,
            untold: None,
            retry: RETRY.0,
            is_last: false,
            is_stopping: false,
            has_failed: false,
            are_gone: false,
            asked: VecDeque::new(),
            is_serving: false,
            answering: 0,
            unheard: BTreeMap::new(),
            effects: VecDeque::new(),
            is_done: false,
        }
    }

    /// Takes what happens.
    ///
    /// # Errors
    /// A checkpoint could not be stored or committed in time, or another run of the job has taken over.
    pub fn take(&mut self, event: Event, now: Now) -> Result<()> {
        match event {
            Event::Report(Report::Barrier(epoch, instance, state)) => {
                if epoch == self.next_epoch && matches!(self.phase, Phase::Aligning) {
                    self.epochs.acknowledge(instance, *state);
                }
            }
            Event::Report(Report::End(instance, state)) => self.epochs.end(instance, *state),
            Event::Due => self.on_time(now)?,
            Event::Stop => self.is_stopping = true,
            Event::Asked(requests) => self.on_asked(requests),
            Event::Stored(stored) => self.on_stored(stored, now)?,
            Event::Committed(committed) => {
                committed?;
                self.on_committed(now);
            }
            Event::Told => {
                self.is_telling = false;
                self.tell();
            }
            Event::Wanted => self.is_wanted = true,
            Event::Saved(saved) => self.on_saved(saved),
            Event::Answered(name, answer, answered) => {
                self.answering -= 1;
                match answered {
                    Ok(()) => drop(self.unheard.remove(&name)),
                    Err(error) => {
                        if self.unheard.insert(name, answer).is_none() {
                            tracing::warn!("a request cannot be answered yet: {error}");
                        }
                    }
                }
            }
            Event::Failed => self.has_failed = true,
            Event::Gone => self.are_gone = true,
        }
        self.go_on(now);
        Ok(())
    }

    /// The next thing to be done.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When it must hear of the time at the latest.
    pub fn due(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Idle if self.is_wanted => Some(self.due.min(self.earliest)),
            Phase::Idle => Some(self.due),
            Phase::Aligning => Some(self.begun + self.timing.timeout),
            Phase::Retrying(_, at) => Some(*at),
            Phase::Storing(_) | Phase::Committing(_) | Phase::Saving(_) => None,
        }
    }

    /// Whether it is time to look for requests: none is being served or answered. A checkpoint may be under way, which comes first.
    pub fn may_be_asked(&self) -> bool {
        self.asked.is_empty() && self.answering == 0
    }

    /// Whether it has nothing more to do.
    pub fn has_ended(&self) -> bool {
        self.is_done && (self.answering == 0 && !self.is_telling || self.has_failed)
    }

    /// Whether the job has read all its input, and all of it is committed.
    pub fn has_finished(&self) -> bool {
        self.before.as_ref().is_some_and(|m| m.finished)
    }

    fn on_time(&mut self, now: Now) -> Result<()> {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Aligning if now.elapsed >= self.begun + self.timing.timeout => {
                Err(Error::external(format!(
                    "checkpoint {}: its barrier did not come through the job within {} s",
                    self.next_epoch,
                    self.timing.timeout.as_secs()
                ))
                .with_help("a sink that does not take rows holds it up, or 'execution.checkpointing.timeout' is too short"))
            }
            Phase::Retrying(next, at) if now.elapsed >= at => {
                self.store(next);
                Ok(())
            }
            phase => {
                self.phase = phase;
                Ok(())
            }
        }
    }

    fn on_asked(&mut self, requests: Vec<(String, Request)>) {
        for (name, request) in requests {
            // It was served, and whoever asked does not know.
            if let Some(answer) = self.unheard.get(&name).cloned() {
                self.answer(name, answer);
            } else if self.asked.iter().all(|(n, _)| *n != name) {
                self.asked.push_back((name, request));
            }
        }
    }

    /// Rows go on flowing while storing is tried again.
    fn on_stored(&mut self, stored: Result<Manifest>, now: Now) -> Result<()> {
        let Phase::Storing(next) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return Err(Error::internal(
                "a checkpoint was stored that nobody waits for",
            ));
        };
        let error = match stored {
            Ok(manifest) => {
                let manifest = Arc::new(manifest);
                self.start(Work::Commit(Arc::clone(&manifest)));
                self.phase = Phase::Committing(manifest);
                return Ok(());
            }
            Err(error) if error.kind != ErrorKind::External => return Err(error),
            Err(error) => error,
        };
        let epoch = next.epoch;
        if now.elapsed + self.retry > self.begun + self.timing.timeout {
            return Err(error.at(format!(
                "checkpoint {epoch} could not be stored within {} s",
                self.timing.timeout.as_secs()
            )));
        }
        if self.retry == RETRY.0 {
            tracing::warn!("checkpoint {epoch} cannot be stored, trying again: {error}");
        }
        self.metrics.retries.fetch_add(1, Ordering::Relaxed);
        self.phase = Phase::Retrying(next, now.elapsed + self.retry);
        self.retry = (self.retry * 2).min(RETRY.1);
        Ok(())
    }

    fn on_committed(&mut self, now: Now) {
        let Phase::Committing(manifest) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return;
        };
        let epoch = manifest.epoch;
        self.next_epoch = epoch + 1;
        self.before = Some(Arc::clone(&manifest));
        self.effects.push_back(Effect::Committed(epoch));
        self.effects.extend(self.view.take().map(Effect::Publish));
        self.untold = Some(Arc::clone(&manifest));
        self.tell();
        // Whoever waits for checkpoints takes up half of the time with them, at most.
        self.earliest = now.elapsed * 2 - self.begun.min(now.elapsed);
        let millis = now.elapsed.saturating_sub(self.begun).as_millis() as u64;
        let (bytes, new_bytes) = (manifest.bytes(), manifest.new_bytes());
        let metrics = &self.metrics;
        metrics.completed.fetch_add(1, Ordering::Relaxed);
        metrics.epoch.store(epoch, Ordering::Relaxed);
        metrics.bytes.store(bytes, Ordering::Relaxed);
        metrics.new_bytes.store(new_bytes, Ordering::Relaxed);
        metrics.millis.store(millis, Ordering::Relaxed);
        metrics.finished.store(now.clock, Ordering::Relaxed);
        metrics.total_millis.fetch_add(millis, Ordering::Relaxed);
        metrics.total_bytes.fetch_add(new_bytes, Ordering::Relaxed);
        tracing::info!("checkpoint {epoch}: {bytes} bytes of state, {new_bytes} new, {millis} ms");
        let request = self.asked.front().filter(|_| self.is_serving);
        match request.map(|(_, request)| request.clone()) {
            Some(
                Request::Savepoint { to }
                | Request::Stop {
                    savepoint: true,
                    to,
                },
            ) => {
                self.phase = Phase::Saving(epoch);
                self.start(Work::Save(manifest, to));
            }
            Some(Request::Checkpoint | Request::Stop { .. }) => self.served(Answer {
                epoch: Some(epoch),
                savepoint: None,
                error: None,
            }),
            None => {}
        }
    }

    fn on_saved(&mut self, saved: Result<String>) {
        if let Phase::Saving(epoch) = std::mem::replace(&mut self.phase, Phase::Idle) {
            let (savepoint, error) = match saved {
                Ok(url) => (Some(url), None),
                Err(error) => (None, Some(error.to_string())),
            };
            self.served(Answer {
                epoch: Some(epoch),
                savepoint,
                error,
            });
        }
    }

    /// Begins whatever is next.
    fn go_on(&mut self, now: Now) {
        // What is being made visible is waited for: whoever restarts the job finds it done.
        if self.has_failed && !matches!(self.phase, Phase::Committing(_)) {
            self.is_done = true;
        }
        if self.is_done {
            return;
        }
        if matches!(self.phase, Phase::Aligning) {
            if self.epochs.is_complete() {
                self.take_state(now);
            } else if self.are_gone {
                // With an error of their own, if not all of them have said that they ended.
                self.is_done = true;
            }
        }
        while matches!(self.phase, Phase::Idle) && !self.is_done {
            if self.is_last || self.has_finished() {
                self.refuse_all();
                self.is_done = true;
            } else if self.epochs.is_finished() {
                // What they wrote last is committed.
                self.begun = now.elapsed;
                self.take_state(now);
            } else if self.are_gone {
                self.is_done = true;
            } else if let Some((_, request)) = self.asked.front() {
                let is_last = matches!(request, Request::Stop { .. });
                self.is_serving = self.begin(is_last, now);
                if !self.is_serving {
                    self.refuse_all();
                }
            } else if self.is_stopping {
                // Without a source it ends by itself, and what was read is committed then.
                self.begin(true, now);
                break;
            } else if self.due().is_some_and(|due| now.elapsed >= due) {
                self.begin(false, now);
            } else {
                break;
            }
        }
    }

    /// Begins a checkpoint; false where no source is left that could send its barrier.
    fn begin(&mut self, is_last: bool, now: Now) -> bool {
        self.begun = now.elapsed;
        self.due = now.elapsed + self.timing.interval;
        if !self.epochs.begin() {
            return false;
        }
        self.is_last = is_last;
        self.is_wanted = false;
        self.phase = Phase::Aligning;
        self.effects.push_back(Effect::Order(Order {
            epoch: self.next_epoch,
            is_last,
        }));
        true
    }

    fn take_state(&mut self, now: Now) {
        self.retry = RETRY.0;
        let (state, tables) = self.epochs.take(now.clock);
        self.view = Some(Arc::new(EpochView {
            epoch: self.next_epoch,
            tables,
        }));
        let next = Unstored {
            epoch: self.next_epoch,
            state: Arc::new(state),
            before: self.before.clone(),
        };
        self.store(Arc::new(next));
    }

    fn store(&mut self, next: Arc<Unstored>) {
        self.start(Work::Store(Arc::clone(&next)));
        self.phase = Phase::Storing(next);
    }

    fn refuse_all(&mut self) {
        while !self.asked.is_empty() {
            self.served(Answer {
                epoch: None,
                savepoint: None,
                error: Some("the job is about to end by itself".into()),
            });
        }
    }

    /// The first request is served.
    fn served(&mut self, answer: Answer) {
        self.is_serving = false;
        if let Some((name, _)) = self.asked.pop_front() {
            self.answer(name, answer);
        }
    }

    fn answer(&mut self, name: String, answer: Answer) {
        self.answering += 1;
        self.start(Work::Answer(name, answer));
    }

    /// Tells the sources of the newest commit, once they have been told of the one before.
    fn tell(&mut self) {
        if !self.is_telling
            && let Some(manifest) = self.untold.take()
        {
            self.is_telling = true;
            self.start(Work::Tell(manifest));
        }
    }

    fn start(&mut self, work: Work) {
        self.effects.push_back(Effect::Begin(work));
    }
}
