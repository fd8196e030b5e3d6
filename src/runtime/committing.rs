//! The store and the sinks of one run: what the coordinator asks for, done. Without clock or timers: both runtimes use it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::coordinator::{Event, Unstored, Work};
use crate::checkpoint::{Checkpoints, Location, Manifest, Owner, Request};
use crate::connectors::{Committer, Source};
use crate::error::Result;

/// Stores checkpoints and makes their output visible.
pub struct Committing {
    /// Where checkpoints are kept.
    pub checkpoints: Checkpoints,
    /// The options of the store, for savepoints elsewhere.
    pub store_options: BTreeMap<String, String>,
    /// How many are kept.
    pub retained: usize,
    /// The right to write.
    pub owner: Owner,
    /// Each once; those that know which epoch they committed last come first.
    pub committers: Vec<Arc<dyn Committer>>,
    /// What is read from, by the name of its state.
    pub sources: Vec<(String, Arc<dyn Source>)>,
}

impl Committing {
    /// Does some work; returns what the coordinator is to be told of it.
    pub async fn perform(self: Arc<Self>, work: Work) -> Event {
        match work {
            Work::Store(next) => Event::Stored(self.store(&next).await),
            Work::Commit(manifest) => Event::Committed(self.commit(&manifest).await),
            Work::Tell(manifest) => {
                self.tell(&manifest).await;
                Event::Told
            }
            Work::Save(manifest, to) => Event::Saved(self.save(&manifest, to.as_deref()).await),
            Work::Answer(name, answer) => {
                let folder = &self.checkpoints.location;
                let answered = Request::answer(folder, &name, &answer).await;
                Event::Answered(name, answer, answered)
            }
        }
    }

    async fn store(&self, next: &Unstored) -> Result<Manifest> {
        let (state, before) = (Arc::clone(&next.state), next.before.as_deref());
        self.checkpoints
            .save(&self.owner, next.epoch, state, before)
            .await
    }

    /// Makes the output of a stored checkpoint visible, and removes what is not needed any more. Where a sink cannot commit, the
    /// job must begin again from the epoch that its sinks name.
    async fn commit(&self, manifest: &Manifest) -> Result<()> {
        let epoch = manifest.epoch;
        for committer in &self.committers {
            let prepared = manifest.prepared(&committer.identity());
            committer
                .commit(epoch, &prepared)
                .await
                .map_err(|e| e.at(format!("commit of epoch {epoch}")))?;
        }
        if let Err(error) = self.checkpoints.retain(self.retained, epoch).await {
            tracing::warn!("checkpoints that are not needed any more cannot be removed: {error}");
        }
        Ok(())
    }

    async fn tell(&self, manifest: &Manifest) {
        for state in &manifest.sources {
            let mut sources = self.sources.iter();
            let Some((_, source)) = sources.find(|(id, _)| *id == state.id) else {
                continue;
            };
            let partitions = state.partitions.iter();
            let positions: Vec<(&str, &str)> = partitions
                .map(|p| (p.partition.as_str(), p.position.as_str()))
                .collect();
            if let Err(error) = source.committed(&positions).await {
                let epoch = manifest.epoch;
                tracing::warn!("whoever waits for epoch {epoch} cannot be told: {error}");
            }
        }
    }

    async fn save(&self, manifest: &Manifest, to: Option<&str>) -> Result<String> {
        let open = |url| Location::open(url, &self.store_options);
        let to = to.map(open).transpose()?;
        let made = self.checkpoints.savepoint(manifest, to.as_ref()).await?;
        Ok(made.url().to_string())
    }
}
