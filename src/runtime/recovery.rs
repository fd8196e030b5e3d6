//! From a stored checkpoint back to a job: which checkpoint holds, and whose state each operator takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::committing::Committing;
use super::opening::open_sources;
use super::{Changes, CheckpointOptions, Connect, EpochView, RestoreFrom, Snapshot};
use crate::checkpoint::{self, Checkpoints, Location, Manifest, Owner, SinkState};
use crate::connectors::{Ahead, Committer, JobContext, Sink, Source};
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
    /// Where the positions of each source node count.
    pub places: BTreeMap<NodeId, String>,
}

/// The outside ends of a job by node.
pub struct Outside<'a> {
    /// Its sources.
    pub sources: &'a BTreeMap<NodeId, Arc<dyn Source>>,
    /// Its sinks.
    pub sinks: &'a BTreeMap<NodeId, Arc<dyn Sink>>,
}

impl Outside<'_> {
    /// Where the positions of each source count.
    async fn places(&self) -> Result<BTreeMap<NodeId, String>> {
        let mut places = BTreeMap::new();
        for (node, source) in self.sources {
            if let Some(place) = source.place().await? {
                places.insert(*node, place);
            }
        }
        Ok(places)
    }
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
    let mut all: Vec<Arc<dyn Committer>> = all.into_values().collect();
    all.sort_by_key(|committer| !committer.remembers());
    Ok(all)
}

/// What would become of the state in the newest checkpoint if the job went on as `graph`; of none where it has no checkpoint.
///
/// # Errors
/// Sources that cannot be opened; a checkpoint that cannot be read.
pub async fn changes(
    graph: &Graph,
    connect: &dyn Connect,
    checkpoints: &Checkpoints,
) -> Result<Changes> {
    Ok(match compared(graph, connect, checkpoints).await? {
        Some((_, changes)) => changes,
        None => Changes::default(),
    })
}

/// The managed tables in the newest checkpoint of a job that does not run.
///
/// # Errors
/// Sources that cannot be opened; a checkpoint that cannot be read.
pub async fn views(
    graph: &Graph,
    connect: &dyn Connect,
    checkpoints: &Checkpoints,
) -> Result<EpochView> {
    let Some((manifest, changes)) = compared(graph, connect, checkpoints).await? else {
        return Ok(EpochView::default());
    };
    let snapshot = snapshot(&checkpoints.location, &manifest, &changes).await?;
    EpochView::restored(graph, &snapshot, manifest.epoch)
}

/// The newest checkpoint, where there is one, and what it is to `graph`.
async fn compared(
    graph: &Graph,
    connect: &dyn Connect,
    checkpoints: &Checkpoints,
) -> Result<Option<(Manifest, Changes)>> {
    let Some(manifest) = last(checkpoints).await? else {
        return Ok(None);
    };
    let sources = open_sources(graph, connect)?;
    let outside = Outside {
        sources: &sources,
        sinks: &BTreeMap::new(),
    };
    let places = outside.places().await?;
    let changes = Changes::between(&manifest, graph, &sources, &places);
    Ok(Some((manifest, changes)))
}

/// Shuts out earlier runs, finds the checkpoint that the sinks' epochs name, ends what they left open, and reads the state.
/// Where the SQL is not that of the checkpoint, `told` is called first with what becomes of its state.
///
/// # Errors
/// Where a store or a sink fails; a checkpoint that is needed and damaged; state that fits no operator.
pub async fn recover(
    graph: &Graph,
    outside: &Outside<'_>,
    job: &Arc<JobContext>,
    options: &CheckpointOptions,
    now: i64,
    told: &(dyn Fn(&Changes) + Send + Sync),
) -> Result<Recovered> {
    let mut identities = BTreeMap::new();
    let committers = committers(outside.sinks, job, &mut identities)?;
    let places = outside.places().await?;
    let compare = |manifest: &Manifest| Changes::between(manifest, graph, outside.sources, &places);
    let options = &resumed(options).await?;
    let checkpoints = &options.checkpoints;
    let process = &options.process;
    let again = process.has_begun.load(Ordering::Relaxed);
    // A job that cannot go on must not shut out the one that runs.
    if let Some(manifest) = last(checkpoints).await? {
        checkpoints.check_origin(&manifest)?;
    }
    if let Some(manifest) = candidate(options).await? {
        compare(&manifest).check(options.drop_state)?;
    }
    let owner = checkpoints.own(&process.name, again).await?;
    if process.lock.get().is_none()
        && let Some(lock) = checkpoints.lock().await?
    {
        let _ = process.lock.set(lock);
    }
    process.has_begun.store(true, Ordering::Relaxed);
    job.begin(owner.generation());
    // What was asked of an earlier process nobody waits for any more.
    if !again {
        for (name, _) in checkpoint::Request::waiting(&checkpoints.location).await? {
            checkpoint::Request::withdraw(&checkpoints.location, &name).await?;
        }
    }
    let earlier = last(checkpoints).await?;
    let mut committed: Option<(u64, Arc<dyn Committer>)> = None;
    for committer in &committers {
        let Some(epoch) = committer
            .recover(&prepared(earlier.as_ref(), &committer.identity()))
            .await?
        else {
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
    let committed = committed.map(|(epoch, _)| epoch);
    let begun = begin(&compare, &committers, options, &owner, committed, now).await?;
    let (restored, before) = (begun.restored, begun.manifest);
    let changes = restored.as_ref().map(compare);
    // A run that ended before its first checkpoint has left nothing that could be kept.
    if let Some(changes) = changes.as_ref().filter(|c| c.is_any())
        && !restored.as_ref().is_some_and(Manifest::is_empty)
    {
        told(changes);
    }
    // Nobody else writes any more: what is not in the checkpoint goes, and the sinks learn which one holds.
    for committer in &committers {
        let prepared = prepared(restored.as_ref(), &committer.identity());
        let epoch = restored.as_ref().map(|m| m.epoch);
        committer.restore(epoch, &prepared).await?;
    }
    for committer in &committers {
        committer.commit(before.epoch, &[]).await?;
    }
    let snapshot = match (&restored, &changes) {
        (Some(manifest), Some(changes)) => snapshot(&begun.location, manifest, changes).await?,
        _ => Snapshot::default(),
    };
    let ids = graph.state_ids();
    let read = outside.sources.iter();
    let sources = read.map(|(node, source)| (ids[*node].clone(), Arc::clone(source)));
    let sources = sources.collect();
    if let Err(error) = clean_up(options, &owner, restored.as_ref(), before.epoch).await {
        tracing::warn!("files that are not needed any more cannot be removed: {error}");
    }
    Ok(Recovered {
        committing: Committing {
            checkpoints: checkpoints.clone(),
            store_options: options.store_options.clone(),
            retained: options.retained,
            owner,
            committers,
            sources,
        },
        next_epoch: before.epoch + 1,
        before: Some(before),
        restored: restored.filter(|m| !m.is_empty()),
        snapshot,
        identities,
        places,
    })
}

/// Where the job has gone on from its savepoint already, it goes on from its own checkpoints.
async fn resumed(options: &CheckpointOptions) -> Result<CheckpointOptions> {
    let mut options = options.clone();
    if let RestoreFrom::Savepoint { from, again: false } = &options.restore
        && let Some(newest) = last(&options.checkpoints).await?
        && newest.began_with == Some(Checkpoints::open_savepoint(from).await?.savepoint_id())
    {
        options.restore = RestoreFrom::Newest;
    }
    Ok(options)
}

/// How a run begins.
struct Begun {
    /// What it goes on from, and where the files of that are.
    restored: Option<Manifest>,
    location: Location,
    /// The checkpoint of its own that holds the same.
    manifest: Manifest,
}

/// Finds what the run goes on from, and stores it as a checkpoint of its own before anything else happens: so no checkpoint that an
/// earlier run still has on its way can come in between, and whatever happens later, sinks and checkpoints agree on where the
/// job stands.
async fn begin(
    compare: &impl Fn(&Manifest) -> Changes,
    committers: &[Arc<dyn Committer>],
    options: &CheckpointOptions,
    owner: &Owner,
    committed: Option<u64>,
    now: i64,
) -> Result<Begun> {
    let checkpoints = &options.checkpoints;
    loop {
        let newest = checkpoints.epochs().await?.first().copied();
        let (location, restored) = restored(checkpoints, options, committed).await?;
        if let Some(manifest) = &restored {
            compare(manifest).check(options.drop_state)?;
        }
        let visible = ahead(committers, options, restored.as_ref()).await?;
        let mut from = match (&restored, &options.restore) {
            (Some(manifest), RestoreFrom::Newest) => manifest.clone(),
            (restored, _) => {
                let from = restored.as_ref().map(|m| (&location, m));
                checkpoints.import(owner, now, from).await?
            }
        };
        for committer in committers {
            if let Some(text) = committer.introduction()? {
                let introduced = SinkState {
                    committer: committer.identity(),
                    prepared: vec![text],
                };
                if !from.sinks.contains(&introduced) {
                    from.sinks.push(introduced);
                }
            }
        }
        // Whatever was written before is of an earlier epoch, also where the checkpoints of that are gone.
        let epoch = newest.max(committed).max(visible).unwrap_or(0) + 1;
        if let Some(manifest) = checkpoints.begin(owner, epoch, &from).await? {
            return Ok(Begun {
                restored,
                location,
                manifest,
            });
        }
    }
}

/// Fails where the job is to go on from a checkpoint, and later epochs are visible already: they would be written again. Where it
/// gives up its checkpoints, that is what was asked for. Returns the last epoch that is known to be visible.
async fn ahead(
    committers: &[Arc<dyn Committer>],
    options: &CheckpointOptions,
    restored: Option<&Manifest>,
) -> Result<Option<u64>> {
    let goes_on = matches!(options.restore, RestoreFrom::Newest);
    let restored = restored.filter(|_| goes_on);
    let epoch = restored.map_or(0, |m| m.epoch);
    let mut visible: Option<Ahead> = None;
    for committer in committers {
        let prepared = prepared(restored, &committer.identity());
        if let Some(more) = committer.ahead(epoch, &prepared).await? {
            visible = Some(match visible {
                None => more,
                Some(known) => Ahead {
                    epoch: known.epoch.max(more.epoch),
                    what: format!("{}; {}", known.what, more.what),
                },
            });
        }
    }
    if !goes_on {
        return Ok(visible.map(|v| v.epoch));
    }
    let Some(Ahead { epoch, what }) = visible else {
        return Ok(None);
    };
    let (job, url) = (
        options.checkpoints.job(),
        options.checkpoints.location.url(),
    );
    let from = match restored {
        Some(manifest) => format!(
            "the newest whole checkpoint of job '{job}' in {url} is {}",
            manifest.epoch
        ),
        None => format!("job '{job}' has no whole checkpoint in {url}"),
    };
    Err(Error::usage(format!(
        "{from}, and files of later epochs (up to {epoch}) are published, which would be written again: {what}"
    ))
    .with_help(
        "put the later checkpoints back, or name their place with --checkpoint-dir; or remove these files: what they hold comes again; \
         or start from nothing with --fresh, which writes everything again beside them",
    ))
}

/// Removes checkpoints that do not hold any more, and what runs that were cut off had written.
async fn clean_up(
    options: &CheckpointOptions,
    owner: &Owner,
    restored: Option<&Manifest>,
    begun: u64,
) -> Result<()> {
    let checkpoints = &options.checkpoints;
    match (&options.restore, restored) {
        // Stored after it, but their output was never made visible: it is computed again.
        (RestoreFrom::Newest, Some(restored)) => {
            let since = restored.epoch + 1;
            checkpoints.forget(|e| e >= since && e < begun).await?;
        }
        _ => checkpoints.forget(|e| e < begun).await?,
    }
    if restored.is_some_and(|m| m.finished) {
        checkpoints.retain(options.retained, begun).await?;
    }
    checkpoints.sweep(owner).await
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
        RestoreFrom::Savepoint { from, .. } => Checkpoints::open_savepoint(from).await.map(Some),
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
        RestoreFrom::Savepoint { from, .. } => {
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
            Ok((location, Some(manifest)))
        }
    }
}

async fn snapshot(location: &Location, manifest: &Manifest, changes: &Changes) -> Result<Snapshot> {
    let mut snapshot = Snapshot {
        sources: changes.positions().clone(),
        ..Snapshot::default()
    };
    for operator in &manifest.operators {
        if let Some(node) = changes.node(&operator.id) {
            let parts = checkpoint::load(location, operator).await?;
            snapshot.operators.insert(node, parts);
            snapshot.watermarks.insert(node, operator.watermark);
        }
    }
    Ok(snapshot)
}
