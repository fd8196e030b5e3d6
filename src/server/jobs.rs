//! The jobs of a server: submitted, found, stopped, restarted, upgraded and removed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use super::JobDefaults;
use super::folder::{DataFolder, LogLine, Submission};
use super::job::{Job, Patience, State, Status, nowhere};
use super::pipeline::{Pipeline, Planned};
use crate::checkpoint::{Answer, Checkpoints, Request};
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, Result};
use crate::runtime::{self, Changes};
use crate::session::Reach;

/// How long a job may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a savepoint may take.
const SAVEPOINT: Duration = Duration::from_secs(600);

/// Why something could not be done to a job.
#[derive(Debug)]
pub enum Refused {
    /// There is none of that name.
    NotFound(String),
    /// There is another of that name.
    Exists(String),
    /// It does not run, or runs already.
    Wrong(String),
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What can be done to jobs, or why not.
pub type Outcome<T> = std::result::Result<T, Refused>;

/// The jobs of a server.
pub struct Jobs {
    folder: Arc<DataFolder>,
    defaults: JobDefaults,
    jobs: RwLock<BTreeMap<String, Arc<Job>>>,
    /// Held while jobs come and go.
    changing: tokio::sync::Mutex<()>,
}

/// What came of a submission.
pub struct Submitted {
    /// The job.
    pub job: Arc<Job>,
    /// Whether it was there before.
    pub existed: bool,
    /// Notes and warnings about the SQL.
    pub notes: Vec<String>,
}

impl Jobs {
    /// Opens the data folder and starts what ran when it was last left.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub async fn open(data: &Path, interval: &str, reach: Arc<Reach>) -> Result<Self> {
        let folder = Arc::new(DataFolder::open(data)?);
        let jobs = Self {
            defaults: JobDefaults {
                checkpoints: folder.checkpoints().display().to_string(),
                checkpoint_interval: interval.to_string(),
                reach,
            },
            folder,
            jobs: RwLock::default(),
            changing: tokio::sync::Mutex::default(),
        };
        for submission in jobs.folder.jobs()? {
            let runs = submission.runs;
            let planned = jobs.plan(&submission);
            let job = Job::new(submission, Arc::clone(&jobs.folder));
            match planned {
                Ok(planned) if runs => job.start(planned, Patience::Forever),
                Ok(planned) => {
                    if let Err(error) = show_tables(&planned).await {
                        job.log(&format!("its tables cannot be shown: {error}"));
                    }
                    job.hold(planned);
                }
                Err(error) => job.fail(error),
            }
            jobs.insert(&job);
        }
        Ok(jobs)
    }

    /// What SQL may reach.
    pub fn reach(&self) -> Arc<Reach> {
        Arc::clone(&self.defaults.reach)
    }

    /// All jobs by name.
    pub fn all(&self) -> Vec<Arc<Job>> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        jobs.values().cloned().collect()
    }

    /// The job of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> Outcome<Arc<Job>> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        let job = jobs.get(name).cloned();
        job.ok_or_else(|| Refused::NotFound(name.to_string()))
    }

    /// Starts a pipeline as a job. The same pipeline under the same name is left as it is.
    ///
    /// # Errors
    /// Mistakes in it; another job has the name; what it reads or writes cannot be opened.
    pub async fn submit(
        &self,
        name: &str,
        pipeline: Pipeline,
        restore: Option<String>,
        drop_state: bool,
    ) -> Outcome<Submitted> {
        check_name(name)?;
        let _changing = self.changing.lock().await;
        if let Ok(job) = self.get(name) {
            let is_same = job.submission.lock().await.pipeline == pipeline;
            return if is_same {
                Ok(Submitted {
                    job,
                    existed: true,
                    notes: Vec::new(),
                })
            } else {
                Err(Refused::Exists(name.to_string()))
            };
        }
        let submission = Submission {
            name: name.to_string(),
            pipeline,
            submitted: SystemClock.now(),
            restore,
            drop_state,
            runs: true,
        };
        let planned = self.plan(&submission)?;
        let notes = planned.notes.clone();
        // Whoever is answered finds it after a crash.
        self.folder.store(&submission)?;
        let job = Job::new(submission, Arc::clone(&self.folder));
        job.log("submitted");
        job.start(planned, Patience::None);
        if let Err(error) = started(&job).await {
            job.stop(PATIENCE).await;
            self.folder.remove(name)?;
            return Err(error);
        }
        self.insert(&job);
        Ok(Submitted {
            job,
            existed: false,
            notes,
        })
    }

    /// Ends a job with a last checkpoint, or with a savepoint at `savepoint` (empty: beside the checkpoints). Returns where the savepoint is.
    ///
    /// # Errors
    /// No such job; it does not run; the savepoint cannot be written.
    pub async fn stop(&self, name: &str, savepoint: Option<&str>) -> Outcome<Option<String>> {
        let job = self.get(name)?;
        let mut submission = job.submission.lock().await;
        let runs = matches!(job.status().state, State::Running | State::Starting);
        if !runs && savepoint.is_some() {
            let state = job.status().state.name().to_lowercase();
            return Err(Refused::Wrong(format!(
                "job '{name}' is {state}: a savepoint is taken of a job that runs"
            )));
        }
        let saved = match savepoint {
            Some(to) => {
                let to = Some(to).filter(|to| !to.is_empty()).map(str::to_string);
                if let (Some(to), Some(planned)) = (&to, job.planned()) {
                    let options = planned.session.settings.store_options();
                    self.defaults.reach.location(to, &options, false)?;
                }
                let request = Request::Savepoint { to };
                let answer = self.ask(&job, &request).await?;
                answer.savepoint
            }
            None => None,
        };
        submission.runs = false;
        self.folder.store(&submission)?;
        job.stop(PATIENCE).await;
        Ok(saved)
    }

    /// Starts a job again from its last checkpoint.
    ///
    /// # Errors
    /// No such job; what it reads or writes cannot be opened.
    pub async fn restart(&self, name: &str) -> Outcome<Arc<Job>> {
        let job = self.get(name)?;
        let mut submission = job.submission.lock().await;
        let planned = self.plan(&submission)?;
        job.stop(PATIENCE).await;
        submission.runs = true;
        self.folder.store(&submission)?;
        job.start(planned, Patience::None);
        started(&job).await?;
        drop(submission);
        Ok(job)
    }

    /// Says what would become of the state of a job if it went on with other SQL.
    ///
    /// # Errors
    /// No such job; mistakes in the SQL; its checkpoints cannot be read.
    pub async fn compare(
        &self,
        name: &str,
        pipeline: &Pipeline,
    ) -> Outcome<(Changes, Vec<String>)> {
        let job = self.get(name)?;
        let planned = pipeline.plan(name, None, true, &self.defaults)?;
        let changes = self.changes(&planned).await?;
        drop(job);
        Ok((changes, planned.notes))
    }

    /// Goes on with other SQL. Where it cannot be started, the job goes on with what it had.
    ///
    /// # Errors
    /// No such job; mistakes in the SQL; state that does not fit and is not to be given up.
    pub async fn upgrade(
        &self,
        name: &str,
        pipeline: Pipeline,
        drop_state: bool,
    ) -> Outcome<(Arc<Job>, Changes, Vec<String>)> {
        let job = self.get(name)?;
        let mut submission = job.submission.lock().await;
        let planned = pipeline.plan(name, None, drop_state, &self.defaults)?;
        let notes = planned.notes.clone();
        // What cannot go on must not stop what runs.
        self.changes(&planned).await?.check(drop_state)?;
        let before = submission.clone();
        job.stop(PATIENCE).await;
        let changes = self.changes(&planned).await?;
        *submission = Submission {
            pipeline,
            restore: None,
            drop_state: false,
            runs: true,
            ..before.clone()
        };
        job.start(planned, Patience::None);
        if let Err(error) = started(&job).await {
            *submission = before;
            job.stop(PATIENCE).await;
            if submission.runs {
                job.log("goes on with the SQL it had");
                job.start(self.plan(&submission)?, Patience::Forever);
            }
            return Err(error);
        }
        self.folder.store(&submission)?;
        drop(submission);
        Ok((job, changes, notes))
    }

    /// Ends a job, and removes it with its checkpoints.
    ///
    /// # Errors
    /// No such job; its files cannot be removed.
    pub async fn cancel(&self, name: &str) -> Outcome<()> {
        let _changing = self.changing.lock().await;
        let job = self.get(name)?;
        let _submission = job.submission.lock().await;
        job.stop(PATIENCE).await;
        self.folder.remove(name)?;
        let mut jobs = self.jobs.write().unwrap_or_else(PoisonError::into_inner);
        jobs.remove(name);
        Ok(())
    }

    /// The dataflow of a pipeline.
    ///
    /// # Errors
    /// Mistakes in it.
    pub fn explain(&self, name: &str, pipeline: &Pipeline) -> Result<String> {
        let (session, _) = pipeline.session(name, &self.defaults)?;
        session.explain_all(false)
    }

    /// What happened to a job, from a place in its log on, and the place after it.
    ///
    /// # Errors
    /// No such job; its log cannot be read.
    pub fn log(&self, name: &str, from: u64) -> Outcome<(Vec<LogLine>, u64)> {
        self.get(name)?;
        Ok(self.folder.log(name, from)?)
    }

    /// Ends all jobs, which start again when the folder is opened again.
    pub async fn close(&self) {
        let jobs = self.all();
        futures::future::join_all(jobs.iter().map(|job| job.stop(PATIENCE))).await;
    }

    fn plan(&self, submission: &Submission) -> Result<Planned> {
        submission.pipeline.plan(
            &submission.name,
            submission.restore.as_deref(),
            submission.drop_state,
            &self.defaults,
        )
    }

    fn insert(&self, job: &Arc<Job>) {
        let mut jobs = self.jobs.write().unwrap_or_else(PoisonError::into_inner);
        jobs.insert(job.name.clone(), Arc::clone(job));
    }

    /// What becomes of the state in the job's last checkpoint.
    async fn changes(&self, planned: &Planned) -> Result<Changes> {
        let Some(options) = planned.session.job_options()?.checkpoints else {
            return Ok(Changes::default());
        };
        let connect = planned.session.connect(&nowhere);
        runtime::changes(&planned.graph, &connect, &options.checkpoints).await
    }

    async fn ask(&self, job: &Job, request: &Request) -> Outcome<Answer> {
        let Some(planned) = job.planned() else {
            return Err(Refused::Wrong(format!("job '{}' does not run", job.name)));
        };
        let Some(options) = planned.session.job_options()?.checkpoints else {
            return Err(Refused::Wrong(format!(
                "job '{}' takes no checkpoints, because it runs in batch mode",
                job.name
            )));
        };
        let checkpoints: &Checkpoints = &options.checkpoints;
        let folder = &checkpoints.location;
        let asked = Request::name();
        request.put(folder, &asked).await?;
        let mut changes = job.changes();
        let answered = Request::wait(folder, &asked);
        let answer: Answer = tokio::select! {
            answer = tokio::time::timeout(SAVEPOINT, answered) => match answer {
                Ok(answer) => answer?,
                Err(_) => {
                    Request::withdraw(folder, &asked).await?;
                    return Err(Error::external(format!(
                        "job '{}' did not answer within {} s",
                        job.name,
                        SAVEPOINT.as_secs()
                    ))
                    .into());
                }
            },
            () = ended(&mut changes) => {
                return Err(Refused::Wrong(format!("job '{}' has ended by itself", job.name)));
            }
        };
        match answer.error {
            Some(error) => Err(Error::external(format!("job '{}': {error}", job.name)).into()),
            None => Ok(answer),
        }
    }
}

/// Shows the managed tables of a job that does not run, as they are in its last checkpoint.
async fn show_tables(planned: &Planned) -> Result<()> {
    if let Some(options) = planned.session.job_options()?.checkpoints {
        let connect = planned.session.connect(&nowhere);
        let view = runtime::views(&planned.graph, &connect, &options.checkpoints).await?;
        planned.metrics.views.publish(Arc::new(view));
    }
    Ok(())
}

/// Waits until the job has ended.
async fn ended(changes: &mut watch::Receiver<Status>) {
    let runs = |status: &Status| matches!(status.state, State::Running | State::Starting);
    let _ = changes.wait_for(|status| !runs(status)).await;
}

/// Waits until the job runs or has ended.
async fn started(job: &Job) -> Outcome<()> {
    let mut changes = job.changes();
    let status = match changes.wait_for(|s| s.state != State::Starting).await {
        Ok(status) => status.clone(),
        Err(_) => return Ok(()),
    };
    match (status.state, status.error) {
        (State::Failed, Some(error)) => Err(Refused::Failed(copy(&error))),
        _ => Ok(()),
    }
}

/// The error as another can be told it.
fn copy(error: &Error) -> Error {
    Error {
        kind: error.kind,
        message: error.message.clone(),
        help: error.help.clone(),
        diagnostics: error.diagnostics.clone(),
        cause: error.cause.as_ref().map(|cause| cause.to_string().into()),
    }
}

/// Names are parts of paths, and the names of schemas.
fn check_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_taken = ["flowline", "information_schema", "default_database"].contains(&name);
    if name.is_empty()
        || name.len() > 100
        || name.starts_with('.')
        || !name.chars().all(is_plain)
        || is_taken
    {
        return Err(Error::usage(format!("'{name}' cannot be the name of a job")).with_help(
            "a name has at most 100 ASCII letters, digits, '.', '_' and '-', does not begin with '.', and is not \
             'flowline', 'information_schema' or 'default_database'",
        ));
    }
    Ok(())
}
