//! Takes checkpoints while a job runs: barriers out, state in, stored, then committed. One at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::CheckpointOptions;
use super::epochs::{Epochs, Order, Report};
use crate::checkpoint::{Answer, Checkpoints, JobState, Location, Manifest, Owner, Request};
use crate::clock::Clock;
use crate::connectors::Committer;
use crate::error::{Error, ErrorKind, Result};

/// How long storing waits before it is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often the job looks for requests: in a local folder, and elsewhere, where looking costs.
const LOOK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

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
    /// How often storing one had to be tried again.
    pub retries: AtomicU64,
}

/// Stores checkpoints and makes their output visible. Without clock or timers: both runtimes use it.
pub struct Committing {
    /// Where checkpoints are kept.
    pub checkpoints: Checkpoints,
    /// How many are kept.
    pub retained: usize,
    /// The right to write.
    pub owner: Owner,
    /// Each once, the one that knows which epoch it committed first.
    pub committers: Vec<Arc<dyn Committer>>,
    /// The number of the next checkpoint.
    pub next_epoch: u64,
    /// The checkpoint that the next one follows on.
    pub before: Option<Manifest>,
}

impl Committing {
    /// Stores the next checkpoint. May be called again after it failed.
    ///
    /// # Errors
    /// As [`Checkpoints::save`].
    pub async fn store(&self, state: &JobState) -> Result<Manifest> {
        let before = self.before.as_ref();
        self.checkpoints
            .save(&self.owner, self.next_epoch, state, before)
            .await
    }

    /// Makes the output of a stored checkpoint visible, and removes what is not needed any more.
    ///
    /// # Errors
    /// A sink that cannot commit: the job must begin again from the epoch that its sinks name.
    pub async fn commit(&mut self, manifest: Manifest) -> Result<()> {
        let epoch = manifest.epoch;
        self.next_epoch = epoch + 1;
        for committer in &self.committers {
            let identity = committer.identity();
            let of = manifest.sinks.iter().find(|s| s.committer == identity);
            let prepared = of.map(|s| s.prepared.as_slice()).unwrap_or_default();
            committer
                .commit(epoch, prepared)
                .await
                .map_err(|e| e.at(format!("commit of epoch {epoch}")))?;
        }
        self.before = Some(manifest);
        if let Err(error) = self.checkpoints.retain(self.retained, epoch).await {
            tracing::warn!("checkpoints that are not needed any more cannot be removed: {error}");
        }
        Ok(())
    }
}

/// The task that takes checkpoints.
pub struct Coordinator {
    /// Who has said what.
    pub epochs: Epochs,
    /// From all instances.
    pub reports: mpsc::Receiver<Report>,
    /// To the sources.
    pub orders: watch::Sender<Order>,
    /// To the sinks: the epoch committed last.
    pub committed: watch::Sender<u64>,
    /// Set from outside: the job is to end with a last checkpoint.
    pub stop: watch::Receiver<bool>,
    /// Where to and how often.
    pub options: CheckpointOptions,
    /// Stores and commits.
    pub committing: Committing,
    /// The time of checkpoints.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<CheckpointMetrics>,
}

enum Event {
    Report(Option<Report>),
    Due,
    Stop,
    Look,
}

impl Coordinator {
    /// Takes checkpoints until the job has ended or is to stop.
    ///
    /// # Errors
    /// A checkpoint could not be stored or committed in time, or another run of the job has taken over.
    pub async fn run(mut self) -> Result<()> {
        let folder = self.options.checkpoints.location.clone();
        let mut due = Instant::now() + self.options.interval;
        let period = if folder.is_local() { LOOK.0 } else { LOOK.1 };
        let mut look = tokio::time::interval(period);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                report = self.reports.recv() => Event::Report(report),
                _ = self.stop.wait_for(|s| *s) => Event::Stop,
                () = tokio::time::sleep_until(due) => Event::Due,
                _ = look.tick() => Event::Look,
            };
            match event {
                // All tasks are gone: with an error of their own, if not all of them have said that they ended.
                Event::Report(None) => return Ok(()),
                Event::Report(Some(report)) => {
                    self.hear(report);
                    if self.epochs.is_finished() {
                        return self.finish().await;
                    }
                }
                Event::Due => {
                    due = Instant::now() + self.options.interval;
                    self.checkpoint(false).await?;
                }
                Event::Stop => {
                    self.checkpoint(true).await?;
                    return self.wait_for_end().await;
                }
                Event::Look => {
                    for (name, request) in Request::waiting(&folder).await.unwrap_or_default() {
                        if self.serve(&folder, &name, request).await? {
                            return self.wait_for_end().await;
                        }
                        due = Instant::now() + self.options.interval;
                    }
                }
            }
            if self.epochs.is_finished() {
                return self.finish().await;
            }
        }
    }

    /// Does what is asked; whether the job ends by it.
    async fn serve(&mut self, folder: &Location, name: &str, request: Request) -> Result<bool> {
        let (is_last, savepoint) = match request {
            Request::Checkpoint => (false, None),
            Request::Savepoint { to } => (false, Some(to)),
            Request::Stop { savepoint, to } => (true, savepoint.then_some(to)),
        };
        let mut answer = Answer {
            epoch: None,
            savepoint: None,
            error: None,
        };
        match (self.checkpoint(is_last).await?, savepoint) {
            (None, _) => answer.error = Some("the job is about to end by itself".into()),
            (Some(manifest), None) => answer.epoch = Some(manifest.epoch),
            (Some(manifest), Some(to)) => {
                answer.epoch = Some(manifest.epoch);
                match self.savepoint(&manifest, to).await {
                    Ok(url) => answer.savepoint = Some(url),
                    Err(error) => answer.error = Some(error.to_string()),
                }
            }
        }
        Request::answer(folder, name, &answer).await?;
        Ok(is_last)
    }

    async fn savepoint(&self, manifest: &Manifest, to: Option<String>) -> Result<String> {
        let to = match to {
            Some(url) => Some(Location::open(&url, &self.options.store_options)?),
            None => None,
        };
        let checkpoints = &self.options.checkpoints;
        let made = checkpoints.savepoint(manifest, to.as_ref()).await?;
        Ok(made.url().to_string())
    }

    /// All instances have ended: what they wrote last is committed.
    async fn finish(&mut self) -> Result<()> {
        if self.committing.before.as_ref().is_some_and(|m| m.finished) {
            return Ok(());
        }
        let begun = Instant::now();
        let state = self.epochs.take(self.clock.now());
        self.complete(&state, begun).await.map(|_| ())
    }

    /// The sources have been told to end; waits until the tasks have.
    async fn wait_for_end(&mut self) -> Result<()> {
        while let Some(report) = self.reports.recv().await {
            self.hear(report);
        }
        Ok(())
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Barrier(epoch, instance, state) if epoch == self.orders.borrow().epoch => {
                self.epochs.acknowledge(instance, *state);
            }
            Report::Barrier(..) => {}
            Report::End(instance, state) => self.epochs.end(instance, *state),
        }
    }

    /// Takes a checkpoint; `None` where the job is ending.
    async fn checkpoint(&mut self, is_last: bool) -> Result<Option<Manifest>> {
        let begun = Instant::now();
        if !self.epochs.begin() {
            return Ok(None);
        }
        self.orders.send_replace(Order {
            epoch: self.committing.next_epoch,
            is_last,
        });
        let deadline = begun + self.options.timeout;
        while !self.epochs.is_complete() {
            match tokio::time::timeout_at(deadline, self.reports.recv()).await {
                Ok(Some(report)) => self.hear(report),
                Ok(None) => return Ok(None),
                Err(_) => {
                    return Err(Error::external(format!(
                        "checkpoint {}: its barrier did not come through the job within {} s",
                        self.committing.next_epoch,
                        self.options.timeout.as_secs()
                    ))
                    .with_help("a sink that does not take rows holds it up, or 'execution.checkpointing.timeout' is too short"));
                }
            }
        }
        let state = self.epochs.take(self.clock.now());
        self.complete(&state, begun).await.map(Some)
    }

    /// Stores a checkpoint and makes its output visible.
    async fn complete(&mut self, state: &JobState, begun: Instant) -> Result<Manifest> {
        let manifest = self.store(state, begun).await?;
        let epoch = manifest.epoch;
        self.committing.commit(manifest.clone()).await?;
        self.committed.send_replace(epoch);
        let millis = begun.elapsed().as_millis() as u64;
        let metrics = &self.metrics;
        metrics.completed.fetch_add(1, Ordering::Relaxed);
        metrics.epoch.store(epoch, Ordering::Relaxed);
        metrics.bytes.store(manifest.bytes(), Ordering::Relaxed);
        metrics
            .new_bytes
            .store(manifest.new_bytes(), Ordering::Relaxed);
        metrics.millis.store(millis, Ordering::Relaxed);
        tracing::info!(
            "checkpoint {epoch}: {} bytes of state, {} new, {millis} ms",
            manifest.bytes(),
            manifest.new_bytes()
        );
        Ok(manifest)
    }

    /// Tries until the checkpoint is stored or its time is over. Rows go on flowing meanwhile.
    async fn store(&self, state: &JobState, begun: Instant) -> Result<Manifest> {
        let epoch = self.committing.next_epoch;
        let options = &self.options;
        let mut wait = RETRY.0;
        loop {
            let error = match self.committing.store(state).await {
                Ok(manifest) => return Ok(manifest),
                Err(error) if error.kind != ErrorKind::External => return Err(error),
                Err(error) => error,
            };
            if begun.elapsed() + wait > options.timeout {
                return Err(error.at(format!(
                    "checkpoint {epoch} could not be stored within {} s",
                    options.timeout.as_secs()
                )));
            }
            if wait == RETRY.0 {
                tracing::warn!("checkpoint {epoch} cannot be stored, trying again: {error}");
            }
            self.metrics.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }
}
