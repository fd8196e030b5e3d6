//! Exactly-once ends: what a sink prepares at a barrier, and what makes it visible once the checkpoint is there.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use crate::error::{Error, Result};

/// What a writer is asked for.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    /// Which of the writers this is.
    pub instance: usize,
    /// The rows it will be given.
    pub schema: SchemaRef,
    /// The columns that identify a row, where the table has them.
    pub key: Option<Vec<usize>>,
    /// Whether rows may go again; else they only come.
    pub updating: bool,
    /// The job it writes for.
    pub job: Arc<JobContext>,
}

/// One run of a job, as its sinks see it: a restart is another one.
pub struct JobContext {
    /// The job's name; two runs with the same name are the same job.
    pub name: String,
    /// How often checkpoints are taken; `None`: there are none, and rows are visible as soon as they are written.
    pub checkpoints: Option<Duration>,
    run: OnceLock<u64>,
    shared: Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>,
}

impl std::fmt::Debug for JobContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JobContext({})", self.name)
    }
}

impl JobContext {
    /// A run of the job `name`.
    pub fn new(name: impl Into<String>, checkpoints: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            checkpoints,
            run: OnceLock::new(),
            shared: Mutex::default(),
        })
    }

    /// It is the run of this number: later runs have higher ones. Said once.
    pub fn begin(&self, run: u64) {
        let _ = self.run.set(run);
    }

    /// The number of the run; 0 without checkpoints, and before it has begun.
    pub fn run(&self) -> u64 {
        self.run.get().copied().unwrap_or(0)
    }

    /// What all sinks of the job have in common under `key`, such as the transaction with one Kafka cluster; made by the first
    /// who asks.
    ///
    /// # Errors
    /// Where two kinds of things have the same key (a bug).
    pub fn shared<T: Send + Sync + 'static>(
        &self,
        key: &str,
        make: impl FnOnce() -> T,
    ) -> Result<Arc<T>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = shared
            .entry(key.to_string())
            .or_insert_with(|| Arc::new(make()));
        Arc::clone(entry)
            .downcast()
            .map_err(|_| Error::internal(format!("two sinks share '{key}' in different ways")))
    }
}

/// What is visible that comes after a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The last epoch that anything of it is of.
    pub epoch: u64,
    /// What and where, for a person.
    pub what: String,
}

/// Makes visible what writers have prepared, all of an epoch at once.
///
/// The order, for epoch `n`: every writer has prepared `n`; the checkpoint is stored; `commit(n)`. After a crash:
/// `recover`, then `restore` with what the restored checkpoint says was prepared, then rows.
#[async_trait]
pub trait Committer: Send + Sync {
    /// Which committers are the same one: those of equal identity in a job are asked once.
    fn identity(&self) -> String;

    /// Whether it knows after a crash which epoch it committed last. Then its commits come before those of others: what they make
    /// visible is never of an epoch that is rolled back.
    fn remembers(&self) -> bool {
        false
    }

    /// What the checkpoint that a run begins with is to say of it, so that later runs can shut it out; as if its writers had prepared it.
    ///
    /// # Errors
    /// None that should come.
    fn introduction(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Shuts out an earlier run of the job that may still be alive, and ends what it left open. Returns the last epoch that it
    /// committed; `None` where this end does not know or was never committed to: then the newest checkpoint holds. `earlier`: what
    /// its writers had prepared for the newest checkpoint there is, and its introduction.
    ///
    /// # Errors
    /// Where the outside system cannot be reached or refuses.
    async fn recover(&self, earlier: &[String]) -> Result<Option<u64>>;

    /// What earlier runs have made visible of epochs after `epoch`, where the checkpoint of that says that this was prepared. A run
    /// that goes on from there would write it again. Who remembers need not look.
    ///
    /// # Errors
    /// Where the outside system cannot be reached.
    async fn ahead(&self, _epoch: u64, _prepared: &[String]) -> Result<Option<Ahead>> {
        Ok(None)
    }

    /// Ends what earlier runs had prepared up to the checkpoint of `epoch` (`None`: the job starts from nothing): that becomes
    /// visible, everything after it is thrown away. What a later run than this one ([`JobContext::run`]) has written stays: it may
    /// have taken over already. Done twice it changes nothing.
    ///
    /// # Errors
    /// Where the outside system failed for good.
    async fn restore(&self, epoch: Option<u64>, prepared: &[String]) -> Result<()>;

    /// Makes visible what was prepared for `epoch`. Done twice it changes nothing.
    ///
    /// # Errors
    /// Where the outside system failed for good: the job restarts from its last checkpoint.
    async fn commit(&self, epoch: u64, prepared: &[String]) -> Result<()>;
}
