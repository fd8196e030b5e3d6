//! From a stored checkpoint back to a job: which checkpoint holds, and whose state each operator takes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::coordinator::Committing;
use super::{CheckpointOptions, RestoreFrom, Snapshot};
use crate::checkpoint::{self, Checkpoints, Location, Manifest};
use crate::connectors::{Committer, JobContext, Sink};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId};

/// What a run begins with.
pub struct Recovered {
    /// Stores and commits from here on.
    pub committing: Committing,
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
///
/// # Errors
/// Where a store or a sink fails; a checkpoint that is needed and damaged; state that fits no operator.
pub async fn recover(
    graph: &Graph,
    sinks: &BTreeMap<NodeId, Arc<dyn Sink>>,
    job: &Arc<JobContext>,
    options: &CheckpointOptions,
    now: i64,
) -> Result<Recovered> {
    let mut identities = BTreeMap::new();
    let mut committers = committers(sinks, job, &mut identities)?;
    let checkpoints = &options.checkpoints;
    let process = &options.process;
    let again = process.has_begun.load(Ordering::Relaxed);
    let owner = checkpoints.own(&process.name, again).await?;
    process.has_begun.store(true, Ordering::Relaxed);
    // What was asked of an earlier process nobody waits for any more.
    if !again {
        for (name, _) in checkpoint::Request::waiting(&checkpoints.location).await? {
            checkpoint::Request::withdraw(&checkpoints.location, &name).await?;
        }
    }
    let earlier = match checkpoints.epochs().await?.first() {
        Some(epoch) => checkpoints.manifest(*epoch).await.ok(),
        None => None,
    };
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
    let snapshot = match &restored {
        Some(manifest) => {
            let operators = matched(graph, manifest, options.drop_state)?;
            snapshot(graph, &location, manifest, operators).await?
        }
        None => Snapshot::default(),
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
            retained: options.retained,
            owner,
            committers,
            next_epoch: first_epoch,
            before,
        },
        restored,
        snapshot,
        identities,
    })
}

fn prepared(manifest: Option<&Manifest>, identity: &str) -> Vec<String> {
    let sinks = manifest.into_iter().flat_map(|m| &m.sinks);
    sinks
        .filter(|s| s.committer == identity)
        .flat_map(|s| s.prepared.clone())
        .collect()
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

/// For each operator of the checkpoint whose state goes on: its node.
fn matched(
    graph: &Graph,
    manifest: &Manifest,
    drop_state: bool,
) -> Result<HashMap<String, NodeId>> {
    let ids = graph.state_ids();
    let mut nodes: HashMap<String, NodeId> = HashMap::new();
    let known: HashMap<&str, NodeId> = ids.iter().map(String::as_str).zip(0..).collect();
    let scopes: HashSet<&str> = graph.scopes.iter().map(String::as_str).collect();
    let mut lost = Vec::new();
    for operator in &manifest.operators {
        if let Some(node) = known.get(operator.id.as_str()) {
            nodes.insert(operator.id.clone(), *node);
            continue;
        }
        let (scope, rest) = operator.id.rsplit_once('/').unwrap_or_default();
        let kind = rest.split('-').next().unwrap_or_default();
        // A statement that is gone as a whole needs no state any more.
        if !scopes.contains(scope) || operator.tables.values().flatten().all(|f| f.rows == 0) {
            tracing::info!(
                "{}: its statement is gone, and so is its state",
                operator.title
            );
            continue;
        }
        let is_new = |id: &String| manifest.operators.iter().all(|o| o.id != *id);
        let instead = (0..ids.len()).find(|n| {
            graph.scopes[*n] == scope && graph.nodes[*n].kind() == kind && is_new(&ids[*n])
        });
        let instead = instead.map_or("nothing of its kind".to_string(), |n| graph.title(n));
        lost.push(format!(
            "'{scope}' kept {}; there is now {instead}",
            operator.title
        ));
    }
    if !lost.is_empty() && !drop_state {
        return Err(Error::usage(format!(
            "checkpoint {} has state that fits no operator of the SQL as it is now:\n  {}",
            manifest.epoch,
            lost.join("\n  ")
        ))
        .with_help(
            "run the SQL as it was; or --drop-state gives up this state and goes on with the rest; or --fresh starts from nothing",
        ));
    }
    for what in lost {
        tracing::warn!("state is dropped: {what}");
    }
    Ok(nodes)
}

async fn snapshot(
    graph: &Graph,
    location: &Location,
    manifest: &Manifest,
    mut operators: HashMap<String, NodeId>,
) -> Result<Snapshot> {
    let ids = graph.state_ids();
    let mut snapshot = Snapshot::default();
    for source in &manifest.sources {
        if let Some(node) = ids.iter().position(|id| *id == source.id) {
            snapshot.sources.insert(node, source.partitions.clone());
        }
    }
    for operator in &manifest.operators {
        if let Some(node) = operators.remove(&operator.id) {
            let parts = checkpoint::load(location, operator).await?;
            snapshot.operators.insert(node, parts);
        }
    }
    Ok(snapshot)
}
