//! What others ask of a running job, by files beside its checkpoints: so it works wherever those are kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Location;
use crate::error::{Error, Result};

/// How often it is looked whether a request has been answered.
pub const LOOK: Duration = Duration::from_millis(100);

const FOLDER: &str = "requests";
const ANSWER: &str = ".answer.json";
const SEEN: &str = ".seen";

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Request {
    /// Take a checkpoint now.
    Checkpoint,
    /// Take a savepoint in this folder or URL; `None`: beside the checkpoints.
    Savepoint {
        /// Where to.
        to: Option<String>,
    },
    /// Take a last checkpoint, or a savepoint, and end.
    Stop {
        /// A savepoint instead of a checkpoint.
        savepoint: bool,
        /// Where the savepoint goes.
        to: Option<String>,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The checkpoint or savepoint taken.
    pub epoch: Option<u64>,
    /// Where the savepoint is.
    pub savepoint: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

impl Request {
    /// A name that no other request has.
    #[allow(
        clippy::disallowed_methods,
        reason = "a name that no other request has"
    )]
    pub fn name() -> String {
        format!("{:016x}", fastrand::u64(..))
    }

    /// Puts a request of this name for the job in `job`.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn put(&self, job: &Location, name: &str) -> Result<()> {
        job.write(&format!("{FOLDER}/{name}.json"), json(self)?)
            .await
    }

    /// The requests that wait, with their names. Those that cannot be read are left out.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn waiting(job: &Location) -> Result<Vec<(String, Self)>> {
        let mut waiting = Vec::new();
        for (file, _) in job.list(FOLDER).await? {
            let Some(name) = file
                .strip_suffix(".json")
                .filter(|_| !file.ends_with(ANSWER))
            else {
                continue;
            };
            let bytes = job.read(&format!("{FOLDER}/{file}")).await?;
            if let Some(request) = bytes.and_then(|b| serde_json::from_slice(&b).ok()) {
                waiting.push((name.to_string(), request));
            }
        }
        Ok(waiting)
    }

    /// Says that the job has seen a request, and will answer it.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn see(job: &Location, name: &str) -> Result<()> {
        job.write(&format!("{FOLDER}/{name}{SEEN}"), Vec::new())
            .await
    }

    /// Whether the job has seen a request.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn is_seen(job: &Location, name: &str) -> Result<bool> {
        let seen = job.read(&format!("{FOLDER}/{name}{SEEN}")).await?;
        Ok(seen.is_some())
    }

    /// Answers a request and takes it away.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn answer(job: &Location, name: &str, answer: &Answer) -> Result<()> {
        job.write(&format!("{FOLDER}/{name}{ANSWER}"), json(answer)?)
            .await?;
        job.remove(&format!("{FOLDER}/{name}.json")).await
    }

    /// The answer to a request, once it is there; it is taken away.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn answered(job: &Location, name: &str) -> Result<Option<Answer>> {
        let file = format!("{FOLDER}/{name}{ANSWER}");
        let Some(bytes) = job.read(&file).await? else {
            return Ok(None);
        };
        let answer = serde_json::from_slice(&bytes)
            .map_err(|e| Error::external(format!("{file} cannot be understood: {e}")))?;
        job.remove(&file).await?;
        job.remove(&format!("{FOLDER}/{name}{SEEN}")).await?;
        Ok(Some(answer))
    }

    /// Waits for the answer to a request; whoever waits says for how long.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn wait(job: &Location, name: &str) -> Result<Answer> {
        loop {
            if let Some(answer) = Self::answered(job, name).await? {
                return Ok(answer);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes a request back that nobody has answered.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn withdraw(job: &Location, name: &str) -> Result<()> {
        job.remove(&format!("{FOLDER}/{name}.json")).await?;
        job.remove(&format!("{FOLDER}/{name}{SEEN}")).await
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::internal(format!("no JSON: {e}")))
}
