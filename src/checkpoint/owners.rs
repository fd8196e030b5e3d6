//! Who may write the checkpoints of a job: one run at a time, each of a later generation than the one before it.

use super::Location;
use crate::error::{Error, ErrorKind, Result};

pub(super) const OWNERS: &str = "owners";

/// One run of the job, as the store knows it: its right to write checkpoints.
#[derive(Debug, Clone)]
pub struct Owner {
    pub(super) generation: u64,
}

impl Owner {
    /// The number of the run: later ones have higher ones.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How the names of its files of state begin: those of two runs differ, so that one that does not know yet that it was shut
    /// out writes over nothing.
    pub(super) fn files(&self, epoch: u64) -> String {
        format!("{epoch:012}-run{}", self.generation)
    }
}

/// The run that has written a file of state.
pub(super) fn run_of(file: &str) -> Option<u64> {
    let (_, rest) = file.split_once("-run")?;
    rest.split('-').next()?.parse().ok()
}

/// The number of a file.
pub(super) fn numbered(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.parse().ok()
}

fn file_of(generation: u64) -> String {
    format!("{OWNERS}/{generation:010}.json")
}

fn text_of(process: &str) -> String {
    serde_json::json!({ "process": process }).to_string()
}

/// The owners of a job.
pub(super) struct Owners<'a> {
    pub(super) location: &'a Location,
    pub(super) job: &'a str,
}

impl Owners<'_> {
    /// As [`super::Checkpoints::own`].
    pub(super) async fn add(&self, process: &str, again: bool) -> Result<Owner> {
        let text = text_of(process);
        loop {
            let newest = self.newest().await?;
            let holder = self.location.read(&file_of(newest)).await?;
            if again && holder.as_deref() != Some(text.as_bytes()) {
                return Err(self.fenced());
            }
            let generation = newest + 1;
            let bytes = text.clone().into_bytes();
            if !self.location.create(&file_of(generation), bytes).await? {
                continue;
            }
            // Only the newest counts; one that stays does no harm.
            for (file, _) in self.location.list(OWNERS).await? {
                if numbered(&file).is_some_and(|g| g < generation)
                    && let Err(error) = self.location.remove(&format!("{OWNERS}/{file}")).await
                {
                    tracing::warn!("a file that is not needed any more stays: {error}");
                }
            }
            return Ok(Owner { generation });
        }
    }

    /// As [`super::Checkpoints::check_owner`].
    pub(super) async fn check_process(&self, process: &str) -> Result<()> {
        let newest = self.newest().await?;
        let holder = self.location.read(&file_of(newest)).await?;
        if holder.unwrap_or_default() == text_of(process).as_bytes() {
            Ok(())
        } else {
            Err(self.fenced())
        }
    }

    /// Fails where a later run has taken over.
    pub(super) async fn check_newest(&self, owner: &Owner) -> Result<()> {
        if self.newest().await? > owner.generation {
            return Err(self.fenced());
        }
        Ok(())
    }

    async fn newest(&self) -> Result<u64> {
        let files = self.location.list(OWNERS).await?;
        let numbers = files.iter().filter_map(|(f, _)| numbered(f));
        Ok(numbers.max().unwrap_or(0))
    }

    pub(super) fn fenced(&self) -> Error {
        Error::new(
            ErrorKind::Fenced,
            format!(
                "another run of the job '{}' has taken over its checkpoints in {}: this one ends",
                self.job,
                self.location.url()
            ),
        )
        .with_help("one job can run once at a time; give it another name with SET 'pipeline.name' if it is another job")
    }
}
