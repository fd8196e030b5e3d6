//! From a stored checkpoint back to a job: which checkpoint holds, and whose state each operator takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::committing::Committing;
use super::{Changes, CheckpointOptions, RestoreFrom, Snapshot};
use crate::checkpoint::{self, Checkpoints, Location, Manifest};
use crate::connectors::{Committer, JobContext, Sink};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId};

/// What a run begins with.
pub struct Recovered {
    /// Stores and commits from here on.
    pub committing: Committing,
    /// The number of the next checkpoint.
    pub next_epoch: u64,
    /// The checkpoint that the next one follows on.
    pub before: Option<Manifest>,
    /// The checkpoint restored.
    pub restored: Option<Manifest>,
    /// Positions and state by node.
    pub snapshot: Snapshot,
    /// The identity of each sink node's committer.
    pub identities: BTreeMap<NodeId, String>,
}

/// The committers of a job's sinks, each once.
fn committers(
    sinks: &BTreeMap<NodeId, Arc<dyn Sink>>,
    job: &Arc<JobContext>,
    identities: &mut BTreeMap<NodeId, String>,
) -> Result<Vec<Arc<dyn Committer>>> {
    let mut all: BTreeMap<String, Arc<dyn Committer>> = BTreeMap::new();
    for (node, sink) in sinks {
        if let Some(committer) = sink.committer(job)? {
            let identity = committer.identity();
            identities.insert(*node, identity.clone());
            all.entry(identity).or_insert(committer);
        }
    }
    Ok(all.into_values().collect())
}

/// Shuts out earlier runs, finds the checkpoint that the sinks' epochs name, ends what they left open, and reads the state.
/// Where the SQL is not that of the checkpoint, `told` is called first with what becomes of its state.
///
/// # Errors
/// Where a store or a sink fails; a checkpoint that is needed and damaged; state that fits no operator.
pub async fn recover(
    graph: &Graph,
    sinks: &BTreeMap<NodeId, Arc<dyn Sink>>,
    job: &Arc<JobContext>,
    options: &CheckpointOptions,
    now: i64,
    told: &(dyn Fn(&Changes) + Send + Sync),
) -> Result<Recovered> {
    let mut identities = BTreeMap::new();
    let mut committers = committers(sinks, job, &mut identities)?;
    let checkpoints = &options.checkpoints;
    let process = &options.process;
    let again = process.has_begun.load(Ordering::Relaxed);
    // A job that cannot go on must not shut out the one that runs.
    if let Some(manifest) = candidate(options).await? {
        Changes::between(&manifest, graph).check(options.drop_state)?;
    }
    let owner = checkpoints.own(&process.name, again).await?;
    process.has_begun.store(true, Ordering::Relaxed);
    // What was asked of an earlier process nobody waits for any more.
    if !again {
        for (name, _) in checkpoint::Request::waiting(&checkpoints.location).await? {
            checkpoint::Request::withdraw(&checkpoints.location, &name).await?;
        }
    }
    let earlier = last(checkpoints).await?;
    let mut committed: Option<(u64, Arc<dyn Committer>)> = None;
    let mut unmarked = Vec::new();
    for committer in &committers {
        let Some(epoch) = committer
            .recover(&prepared(earlier.as_ref(), &committer.identity()))
            .await?
        else {
            unmarked.push(Arc::clone(committer));
            continue;
        };
        if let Some((other, by)) = committed.replace((epoch, Arc::clone(committer)))
            && other != epoch
        {
            return Err(Error::usage(format!(
                "the exactly-once sinks of job '{}' have committed different epochs: {} has {other}, {} has {epoch}",
                job.name,
                by.identity(),
                committer.identity()
            ))
            .with_help("sinks of one job can be exactly-once in one Kafka cluster only; make the others at-least-once"));
        }
    }
    if let Some((_, decider)) = &committed {
        let identity = decider.identity();
        committers.sort_by_key(|c| c.identity() != identity);
    }
    let committed = committed.map(|(epoch, _)| epoch);
    let (location, mut restored) = restored(checkpoints, options, committed).await?;
    let changes = restored.as_ref().map(|m| Changes::between(m, graph));
    if let Some(changes) = &changes {
        changes.check(options.drop_state)?;
        // A run that ended before its first checkpoint has left nothing that could be kept.
        if changes.is_any() && !restored.as_ref().is_some_and(Manifest::is_empty) {
            told(changes);
        }
    }
    for committer in &committers {
        let prepared = prepared(restored.as_ref(), &committer.identity());
        let epoch = restored.as_ref().map(|m| m.epoch);
        committer.restore(epoch, &prepared).await?;
        // Before a checkpoint is stored that may not be committed, those who can say which one was must know of this one.
        if let Some(epoch) = epoch
            && unmarked.iter().any(|u| Arc::ptr_eq(u, committer))
        {
            committer.commit(epoch, &prepared).await?;
        }
    }
    let snapshot = match (&restored, &changes) {
        (Some(manifest), Some(changes)) => snapshot(graph, &location, manifest, changes).await?,
        _ => Snapshot::default(),
    };
    let known = [
        Some(owner.first_epoch),
        committed.map(|e| e + 1),
        restored.as_ref().map(|m| m.epoch + 1),
    ];
    let mut first_epoch = known.into_iter().flatten().max().unwrap_or(1);
    let mut before = restored.clone();
    if !matches!(options.restore, RestoreFrom::Newest) || restored.is_none() {
        // What the run begins with becomes a checkpoint of its own, committed, before the first row: so whatever happens, sinks
        // and checkpoints agree on where the job stands.
        let from = restored.as_ref().map(|m| (&location, m));
        let begun = checkpoints.import(&owner, first_epoch, now, from).await?;
        for committer in &committers {
            committer.commit(first_epoch, &[]).await?;
        }
        checkpoints.begin_anew(first_epoch).await?;
        first_epoch += 1;
        before = Some(begun);
    }
    // What a run that was cut off had written and no checkpoint holds.
    if let Err(error) = checkpoints.sweep().await {
        tracing::warn!("files that are not needed any more cannot be removed: {error}");
    }
    if restored.as_ref().is_some_and(Manifest::is_empty) {
        restored = None;
    }
    Ok(Recovered {
        committing: Committing {
            checkpoints: checkpoints.clone(),
            store_options: options.store_options.clone(),
            retained: options.retained,
            owner,
            committers,
        },
        next_epoch: first_epoch,
        before,
        restored,
        snapshot,
        identities,
    })
}

fn prepared(manifest: Option<&Manifest>, identity: &str) -> Vec<String> {
    manifest.map_or_else(Vec::new, |m| m.prepared(identity))
}

/// The last checkpoint of the job, where it can be read.
async fn last(checkpoints: &Checkpoints) -> Result<Option<Manifest>> {
    Ok(match checkpoints.epochs().await?.first() {
        Some(epoch) => checkpoints.manifest(*epoch).await.ok(),
        None => None,
    })
}

/// What a run would begin with if the one before it ended now.
async fn candidate(options: &CheckpointOptions) -> Result<Option<Manifest>> {
    match &options.restore {
        RestoreFrom::Nothing => Ok(None),
        RestoreFrom::Savepoint(from) => Checkpoints::open_savepoint(from).await.map(Some),
        RestoreFrom::Newest => last(&options.checkpoints).await,
    }
}

/// The checkpoint that holds: the one whose epoch the sinks have committed; where they do not know, the newest whole one.
async fn restored(
    checkpoints: &Checkpoints,
    options: &CheckpointOptions,
    committed: Option<u64>,
) -> Result<(Location, Option<Manifest>)> {
    let location = checkpoints.location.clone();
    match &options.restore {
        RestoreFrom::Nothing => Ok((location, None)),
        RestoreFrom::Savepoint(from) => {
            let manifest = Checkpoints::open_savepoint(from).await?;
            Ok((from.clone(), Some(manifest)))
        }
        RestoreFrom::Newest => {
            let Some(epoch) = committed else {
                return Ok((location, checkpoints.newest().await?));
            };
            let manifest = checkpoints.manifest(epoch).await.map_err(|e| {
                let why = format!(
                    "the sinks of job '{}' have committed epoch {epoch}, and its checkpoint is not in {}",
                    checkpoints.job(),
                    location.url()
                );
                Error { help: None, ..e }.at(why).with_help(
                    "point 'execution.checkpointing.dir' to where the job's checkpoints are; or start it from nothing with \
                     --fresh, which writes again what it had written",
                )
            })?;
            // Stored, but its output was never made visible: it is computed again.
            checkpoints.roll_back(epoch + 1).await?;
            Ok((location, Some(manifest)))
        }
    }
}

async fn snapshot(
    graph: &Graph,
    location: &Location,
    manifest: &Manifest,
    changes: &Changes,
) -> Result<Snapshot> {
    let ids = graph.state_ids();
    let mut snapshot = Snapshot::default();
    for source in &manifest.sources {
        if let Some(node) = ids.iter().position(|id| *id == source.id) {
            snapshot.sources.insert(node, source.partitions.clone());
        }
    }
    for operator in &manifest.operators {
        if let Some(node) = changes.node(&operator.id) {
            let parts = checkpoint::load(location, operator).await?;
            snapshot.operators.insert(node, parts);
        }
    }
    Ok(snapshot)
}
