//! One job of a server: started, watched, stopped and started again.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::folder::{DataFolder, LogLine, Submission};
use super::pipeline::Planned;
use crate::catalog::Table;
use crate::clock::{Clock as _, SystemClock};
use crate::connectors::{self, Sink, SinkMode};
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::EpochView;
use crate::session::JobEvent;

/// How long to wait before a job whose outside is not there is started again: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is being restored, or waits to be started again.
    Starting,
    /// It runs.
    Running,
    /// It has read all its input.
    Finished,
    /// It has failed for good.
    Failed,
    /// It was stopped, and goes on from its last checkpoint when it is restarted.
    Stopped,
}

impl State {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Starting,
        Self::Running,
        Self::Finished,
        Self::Failed,
        Self::Stopped,
    ];

    /// As system tables and people spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Where a job stands, and how it came there.
#[derive(Debug, Clone)]
pub struct Status {
    /// Where it stands.
    pub state: State,
    /// Why it failed.
    pub error: Option<Arc<Error>>,
    /// When it was last started, in milliseconds since 1970; 0: not yet.
    pub started: i64,
    /// Restarts after failures since then.
    pub restarts: u32,
}

/// How far a job has come since it was last started.
#[derive(Debug, Clone)]
pub struct Told {
    /// Where it stands.
    pub status: Status,
    /// When it was submitted first, in milliseconds since 1970.
    pub submitted: i64,
    /// Its last checkpoint; 0: none yet.
    pub epoch: u64,
    /// Rows read.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Rows that were too late for their window.
    pub late_rows: u64,
    /// Records or fields that could not be decoded.
    pub bad_rows: u64,
    /// What it writes.
    pub outputs: Vec<String>,
}

/// A job of a server.
pub struct Job {
    /// Its name.
    pub name: String,
    /// When it was submitted first, in milliseconds since 1970.
    pub submitted: i64,
    /// What was submitted. Whoever holds the lock changes the job; nobody else does meanwhile.
    pub submission: tokio::sync::Mutex<Submission>,
    folder: Arc<DataFolder>,
    status: watch::Sender<Status>,
    run: Mutex<Option<Run>>,
    lines: watch::Sender<u64>,
}

/// A job from a start to its end.
struct Run {
    planned: Arc<Planned>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

/// Whether a job waits for what is outside of it when it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// A broker that does not answer is an error at once.
    None,
    /// It is tried again until it answers.
    Forever,
}

/// Where a SELECT would be shown, if a job on a server could have one.
pub fn nowhere(_: &str, _: &Table) -> Arc<dyn Sink> {
    connectors::discard(SinkMode::Retract)
}

impl Job {
    /// A job that does not run yet.
    pub fn new(submission: Submission, folder: Arc<DataFolder>) -> Arc<Self> {
        let status = Status {
            state: State::Stopped,
            error: None,
            started: 0,
            restarts: 0,
        };
        Arc::new(Self {
            name: submission.name.clone(),
            submitted: submission.submitted,
            submission: tokio::sync::Mutex::new(submission),
            folder,
            status: watch::Sender::new(status),
            run: Mutex::new(None),
            lines: watch::Sender::new(0),
        })
    }

    /// Where it stands.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// How far it has come.
    pub fn told(&self) -> Told {
        let mut told = Told {
            status: self.status(),
            submitted: self.submitted,
            epoch: 0,
            rows_in: 0,
            rows_out: 0,
            late_rows: 0,
            bad_rows: 0,
            outputs: Vec::new(),
        };
        if let Some(planned) = self.planned() {
            let metrics = &planned.metrics;
            let sources = metrics.sources.values();
            told.rows_in = sources.clone().map(|s| s.rows.load(Relaxed)).sum();
            told.bad_rows = sources.map(|s| s.bad_rows.load(Relaxed)).sum();
            told.rows_out = planned.sinks().iter().map(|sink| sink.rows).sum();
            told.late_rows = metrics.late_rows();
            told.epoch = metrics.checkpoints.epoch.load(Relaxed);
            let outputs = planned.session.outputs();
            told.outputs = outputs.into_iter().map(str::to_string).collect();
        }
        told
    }

    /// Waits until it shows its managed tables, or does not run, at most so long.
    pub async fn shows_tables(&self, patience: Duration) {
        let Some(planned) = self.planned() else {
            return;
        };
        let mut views = planned.metrics.views.subscribe();
        let mut changes = self.changes();
        let shows = async {
            tokio::select! {
                _ = views.wait_for(Option::is_some) => {}
                _ = changes.wait_for(|s| s.state != State::Starting && s.state != State::Running) => {}
            }
        };
        let _ = tokio::time::timeout(patience, shows).await;
    }

    /// Its managed tables at the end of the last committed epoch.
    ///
    /// # Errors
    /// The job has not got so far that there are any.
    pub fn view(&self) -> Result<Arc<EpochView>> {
        let view = self.planned().map(|planned| planned.metrics.views.newest());
        view.flatten().ok_or_else(|| {
            Error::external(format!(
                "the tables of job '{}' cannot be read yet: it is being started",
                self.name
            ))
            .with_help("ask again in a moment")
        })
    }

    /// Hears of each change of where it stands.
    pub fn changes(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// What it runs or ran last; `None` where it could not be planned.
    pub fn planned(&self) -> Option<Arc<Planned>> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.as_ref().map(|run| Arc::clone(&run.planned))
    }

    /// Starts the job, which must not be running. Its status shows the outcome.
    pub fn start(self: &Arc<Self>, planned: Planned, patience: Patience) {
        let planned = Arc::new(planned);
        let (stop, stopped) = watch::channel(false);
        self.status.send_replace(Status {
            state: State::Starting,
            error: None,
            started: SystemClock.now(),
            restarts: 0,
        });
        let job = Arc::clone(self);
        let what = Arc::clone(&planned);
        let asked = stopped.clone();
        let task = tokio::spawn(async move {
            let running = Arc::clone(&job);
            let work = tokio::spawn(async move { running.run(&what, stopped, patience).await });
            let ended = work.await.unwrap_or_else(|_| {
                Err(Error::internal(
                    "the job panicked; the server's log says where",
                ))
            });
            job.ended(ended, *asked.borrow());
        });
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        *run = Some(Run {
            planned,
            stop,
            task: Some(task),
        });
    }

    async fn run(
        &self,
        planned: &Planned,
        mut stopped: watch::Receiver<bool>,
        patience: Patience,
    ) -> Result<()> {
        let say = |event: JobEvent<'_>| self.on_event(&event);
        let mut wait = RETRY.0;
        loop {
            let Planned {
                session,
                graph,
                metrics,
                ..
            } = planned;
            let run = session.run(graph, &nowhere, metrics, stopped.clone(), &say);
            let error = match run.await {
                Err(error)
                    if error.kind == ErrorKind::External
                        && patience == Patience::Forever
                        && self.status().state == State::Starting =>
                {
                    error
                }
                ended => return ended,
            };
            self.log(&format!(
                "cannot start yet, next try in {} s: {error}",
                wait.as_secs()
            ));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stopped.wait_for(|stop| *stop) => return Ok(()),
            }
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Has its tables without running it.
    pub fn hold(&self, planned: Planned) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        *run = Some(Run {
            planned: Arc::new(planned),
            stop: watch::Sender::new(true),
            task: None,
        });
    }

    /// Fails a job that cannot be planned.
    pub fn fail(&self, error: Error) {
        self.ended(Err(error), false);
    }

    fn on_event(&self, event: &JobEvent<'_>) {
        for line in event.lines() {
            self.log(&line);
        }
        self.status.send_if_modified(|status| match event {
            JobEvent::Started { .. } => {
                status.state = State::Running;
                true
            }
            JobEvent::Restarting { .. } => {
                status.restarts += 1;
                status.state = State::Starting;
                true
            }
            JobEvent::Changed(_) | JobEvent::Finished(_) => false,
        });
    }

    fn ended(&self, ended: Result<()>, was_asked: bool) {
        let (state, error) = match ended {
            Ok(()) if was_asked => (State::Stopped, None),
            Ok(()) => (State::Finished, None),
            Err(error) => (State::Failed, Some(Arc::new(error))),
        };
        if let Some(planned) = self.planned()
            && let Some(inboxes) = planned.session.inboxes()
        {
            inboxes.close(error.as_deref());
        }
        self.log(&match &error {
            Some(error) => format!("failed: {error}"),
            None => state.name().to_lowercase(),
        });
        self.status.send_modify(|status| {
            status.state = state;
            status.error = error;
        });
    }

    /// Asks it to stop, and waits for it to end; after `patience` it is ended as a crash would. Returns whether it ended by itself.
    pub async fn stop(&self, patience: Duration) -> bool {
        let task = {
            let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
            run.as_mut().and_then(|run| {
                run.stop.send_replace(true);
                run.task.take()
            })
        };
        let Some(mut task) = task else {
            return true;
        };
        if tokio::time::timeout(patience, &mut task).await.is_ok() {
            return true;
        }
        task.abort();
        let _ = task.await;
        self.ended(Ok(()), true);
        self.log(
            "ended at once: it did not end by itself in time. It goes on from its last checkpoint",
        );
        false
    }

    /// Writes a line to its log. What cannot be written goes to the server's own log.
    pub fn log(&self, text: &str) {
        let line = LogLine {
            time: SystemClock.now(),
            text: text.to_string(),
        };
        if let Err(error) = self.folder.append(&self.name, &line) {
            tracing::warn!("job '{}': {text} ({error})", self.name);
        }
        self.lines.send_modify(|lines| *lines += 1);
    }

    /// Hears of new lines in its log.
    pub fn new_lines(&self) -> watch::Receiver<u64> {
        self.lines.subscribe()
    }
}
