//! The checkpoints of one job: stored, listed, read back, thrown away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::files::{checksum, decode, encode};
use super::owners::{OWNERS, Owner, Owners, numbered, run_of};
use super::{
    FORMAT, FileRef, JobState, Kind, Location, Manifest, OperatorSnapshot, OperatorState, Origin,
};
use crate::error::{Error, Result};
use crate::state::{KeyGroups, StatePart, TableSnapshot, merge};

const MANIFESTS: &str = "manifests";
const STATE: &str = "state";
const SAVEPOINTS: &str = "savepoints";
/// Locked by the process that runs the job.
const RUNNING: &str = "running.lock";

/// A manifest and its checksum, as they stand in the file.
#[derive(Serialize, Deserialize)]
struct Sealed {
    checksum: String,
    manifest: serde_json::Value,
}

/// A checkpoint in a list.
#[derive(Debug)]
pub struct Listed {
    /// Its number.
    pub epoch: u64,
    /// What it is made of; an error where its manifest is damaged.
    pub manifest: Result<Manifest>,
}

/// The checkpoints of a job.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// Their folder.
    pub location: Location,
    job: String,
    origin: Option<Origin>,
}

fn state_file(name: &str) -> String {
    format!("{STATE}/{name}")
}

fn manifest_file(epoch: u64) -> String {
    format!("{MANIFESTS}/{epoch:012}.json")
}

impl Checkpoints {
    /// Those of `job` in the folder `root`.
    pub fn new(root: &Location, job: &str) -> Self {
        Self {
            location: root.folder(job),
            job: job.to_string(),
            origin: None,
        }
    }

    /// The same, of the job that comes from there.
    #[must_use]
    pub fn of(self, origin: Origin) -> Self {
        Self {
            origin: Some(origin),
            ..self
        }
    }

    /// Fails where a checkpoint is that of a job of the same name that comes from elsewhere. Whoever has named this one says that
    /// it is the same.
    ///
    /// # Errors
    /// It is.
    pub fn check_origin(&self, manifest: &Manifest) -> Result<()> {
        let (Some(mine @ Origin::Files(_)), Some(theirs)) = (&self.origin, &manifest.origin) else {
            return Ok(());
        };
        if mine == theirs {
            return Ok(());
        }
        Err(Error::usage(format!(
            "job '{}' in {} is another job's name:\n  it has run from  {theirs}\n  this is          {mine}",
            self.job,
            self.location.url()
        ))
        .with_help(format!(
            "give this one a name of its own with --name NAME (or SET 'pipeline.name'); if it is the same job in a new place, say so \
             with --name {}",
            self.job
        )))
    }

    /// The jobs that have checkpoints in `root`.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn jobs(root: &Location) -> Result<Vec<String>> {
        let mut jobs = Vec::new();
        for folder in root.folders("").await? {
            let inside = root.folders(&folder).await?;
            if inside
                .iter()
                .any(|f| f == MANIFESTS || f == OWNERS || f == SAVEPOINTS)
            {
                jobs.push(folder);
            }
        }
        Ok(jobs)
    }

    /// Says that the job runs, as long as the file lives: where the folder is one of this machine.
    ///
    /// # Errors
    /// The file cannot be made.
    pub async fn lock(&self) -> Result<Option<std::fs::File>> {
        let Some(file) = self.location.local_file(RUNNING) else {
            return Ok(None);
        };
        let failed = |e: std::io::Error| {
            Error::external(format!(
                "{}/{RUNNING}: cannot be locked: {e}",
                self.location.url()
            ))
            .with_help("check the permissions of the folder")
        };
        let locked = move || {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = std::fs::File::create(file)?;
            file.lock_shared()?;
            Ok(file)
        };
        let locked = tokio::task::spawn_blocking(locked).await;
        let locked = locked.map_err(|e| Error::internal(format!("locking was cut off: {e}")))?;
        locked.map(Some).map_err(failed)
    }

    /// Whether the job runs; `None` where that cannot be known: elsewhere than in a folder of this machine.
    pub fn runs(&self) -> Option<bool> {
        let file = self.location.local_file(RUNNING)?;
        Some(match std::fs::File::open(file) {
            Ok(file) => matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)),
            Err(_) => false,
        })
    }

    /// The job.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The numbers of all checkpoints, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn epochs(&self) -> Result<Vec<u64>> {
        let files = self.location.list(MANIFESTS).await?;
        let mut epochs: Vec<u64> = files.iter().filter_map(|(f, _)| numbered(f)).collect();
        epochs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(epochs)
    }

    /// All checkpoints, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for epoch in self.epochs().await? {
            let manifest = self.manifest(epoch).await;
            listed.push(Listed { epoch, manifest });
        }
        Ok(listed)
    }

    /// What checkpoint `epoch` is made of.
    ///
    /// # Errors
    /// It is not there, or damaged.
    pub async fn manifest(&self, epoch: u64) -> Result<Manifest> {
        read_manifest(&self.location, &manifest_file(epoch)).await
    }

    /// The newest checkpoint that is whole: damaged ones before it are passed over, each with a word to the log. `None`: there
    /// is no checkpoint at all.
    ///
    /// # Errors
    /// Where the store fails, or all that are there are damaged.
    pub async fn newest(&self) -> Result<Option<Manifest>> {
        let mut last = None;
        for epoch in self.epochs().await? {
            match self.whole(epoch).await {
                Ok(manifest) => return Ok(Some(manifest)),
                Err(error) => {
                    tracing::warn!(
                        "checkpoint {epoch} of job '{}' is passed over: {error}",
                        self.job
                    );
                    last = Some(error);
                }
            }
        }
        match last {
            None => Ok(None),
            Some(error) => Err(error.with_help(
                "no checkpoint of the job is whole; 'flowline checkpoints verify' says what is wrong with each, \
                 and 'flowline run --fresh' starts the job from nothing",
            )),
        }
    }

    /// The manifest of a checkpoint whose files are all there with their sizes.
    async fn whole(&self, epoch: u64) -> Result<Manifest> {
        let manifest = self.manifest(epoch).await?;
        let there: HashMap<String, u64> = self.location.list(STATE).await?.into_iter().collect();
        for file in manifest.files() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            match there.get(name) {
                Some(bytes) if *bytes == file.bytes => {}
                Some(bytes) => {
                    return Err(damaged(
                        &file.path,
                        &format!("has {bytes} bytes instead of {}", file.bytes),
                    ));
                }
                None => return Err(damaged(&file.path, "is missing")),
            }
        }
        Ok(manifest)
    }

    /// Takes the right to write from every earlier run of the job. `process` names the process that runs it; `again`: it had the
    /// right before, and failed: if another process has taken it since, that one keeps it.
    ///
    /// # Errors
    /// Where the store fails, or another process has taken over.
    pub async fn own(&self, process: &str, again: bool) -> Result<Owner> {
        self.owners().add(process, again).await
    }

    /// Fails where another process than `process` has the right to write.
    ///
    /// # Errors
    /// It has; or the store fails.
    pub async fn check_owner(&self, process: &str) -> Result<()> {
        self.owners().check_process(process).await
    }

    fn owners(&self) -> Owners<'_> {
        Owners {
            location: &self.location,
            job: &self.job,
        }
    }

    /// Stores a checkpoint: its files, then its manifest. `before` is the checkpoint that changes build on. May be called again
    /// after it failed.
    ///
    /// # Errors
    /// Where the store fails; where another run of the job has taken over (kind [`crate::error::ErrorKind::Fenced`]).
    pub async fn save(
        &self,
        owner: &Owner,
        epoch: u64,
        state: Arc<JobState>,
        before: Option<&Manifest>,
    ) -> Result<Manifest> {
        let folder = &self.location;
        let files = state_file(&owner.files(epoch));
        let written = write_operators(folder, files, epoch, &state, before).await;
        let operators = match written {
            Ok(operators) => operators,
            Err(error) => {
                // A later run may have removed what this one needs: trying again would not help.
                self.owners().check_newest(owner).await?;
                return Err(error);
            }
        };
        let manifest = Manifest {
            began_with: before.and_then(|b| b.began_with.clone()),
            ..self.describe(epoch, &state, operators)
        };
        if !self.publish(owner, &manifest).await? {
            return Err(self.owners().fenced());
        }
        Ok(manifest)
    }

    /// Copies a checkpoint, with all its files, to where it stays: to `to`, or beside the checkpoints.
    ///
    /// # Errors
    /// Where a store fails, or a file is damaged.
    pub async fn savepoint(
        &self,
        checkpoint: &Manifest,
        to: Option<&Location>,
    ) -> Result<Location> {
        let own = format!("{SAVEPOINTS}/{:012}", checkpoint.epoch);
        let target = match to {
            Some(to) => to.clone(),
            None => self.location.folder(&own),
        };
        for file in checkpoint.files() {
            target
                .write(&file.path, read_file(&self.location, file).await?)
                .await?;
        }
        let manifest = Manifest {
            kind: Kind::Savepoint,
            ..checkpoint.clone()
        };
        target.write("manifest.json", sealed(&manifest)?).await?;
        if let Some(to) = to {
            // So that it is found again.
            let note = format!("{own}.url");
            self.location.write(&note, to.url().into()).await?;
        }
        Ok(target)
    }

    /// The URLs of savepoints that were taken elsewhere.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn savepoints_elsewhere(&self) -> Result<Vec<String>> {
        let mut urls = Vec::new();
        for (file, _) in self.location.list(SAVEPOINTS).await? {
            let name = format!("{SAVEPOINTS}/{file}");
            if file.ends_with(".url")
                && let Some(url) = self.location.read(&name).await?
            {
                urls.push(String::from_utf8_lossy(&url).into_owned());
            }
        }
        Ok(urls)
    }

    /// A checkpoint that holds what a savepoint does, its files copied, or nothing at all; not stored yet.
    ///
    /// # Errors
    /// Where a store fails, or a file is damaged.
    pub async fn import(
        &self,
        owner: &Owner,
        time: i64,
        from: Option<(&Location, &Manifest)>,
    ) -> Result<Manifest> {
        let nothing = JobState {
            time,
            ..JobState::default()
        };
        let mut manifest = self.describe(0, &nothing, Vec::new());
        let Some((location, savepoint)) = from else {
            return Ok(manifest);
        };
        manifest.began_with = Some(savepoint.savepoint_id());
        manifest.sources.clone_from(&savepoint.sources);
        manifest.operators.clone_from(&savepoint.operators);
        let files = manifest.operators.iter_mut();
        let files = files.flat_map(|o| o.tables.values_mut().flatten());
        for (number, file) in files.enumerate() {
            let bytes = read_file(location, file).await?;
            let name = owner.files(savepoint.epoch);
            file.path = state_file(&format!("{name}-imported-{number}.arrow"));
            self.location.write(&file.path, bytes).await?;
        }
        Ok(manifest)
    }

    /// Stores what a run begins with as checkpoint `epoch`, the one after the newest that was seen since the run has owned the job.
    /// Then no checkpoint that an earlier run still has on its way can count: its number is taken, or is older. `None`: one of that
    /// number was there before, and what the run begins with is to be looked for again.
    ///
    /// # Errors
    /// As [`Checkpoints::save`].
    pub async fn begin(
        &self,
        owner: &Owner,
        epoch: u64,
        from: &Manifest,
    ) -> Result<Option<Manifest>> {
        // Whoever owns the job by now may have gone on from what was seen.
        self.owners().check_newest(owner).await?;
        let manifest = Manifest {
            format: FORMAT,
            flowline: env!("CARGO_PKG_VERSION").to_string(),
            epoch,
            origin: self.origin.clone(),
            ..from.clone()
        };
        Ok(self.publish(owner, &manifest).await?.then_some(manifest))
    }

    /// Creates the manifest, unless there is another: from then on the checkpoint is there. The owner is looked at afterwards: a
    /// later run that it does not see yet will find this checkpoint.
    async fn publish(&self, owner: &Owner, manifest: &Manifest) -> Result<bool> {
        let bytes = sealed(manifest)?;
        let file = manifest_file(manifest.epoch);
        if !self.location.create(&file, bytes.clone()).await? {
            // It may be our own, written by an attempt that was thought to have failed.
            let there = self.location.read(&file).await?;
            if there.as_deref() != Some(bytes.as_slice()) {
                return Ok(false);
            }
        }
        self.owners().check_newest(owner).await?;
        Ok(true)
    }

    /// The savepoint in `location`.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub async fn open_savepoint(location: &Location) -> Result<Manifest> {
        read_manifest(location, "manifest.json").await
    }

    /// The savepoints beside the checkpoints: their folders.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn savepoints(&self) -> Result<Vec<Location>> {
        let folders = self.location.folders(SAVEPOINTS).await?;
        Ok(folders
            .iter()
            .map(|f| self.location.folder(&format!("{SAVEPOINTS}/{f}")))
            .collect())
    }

    fn describe(&self, epoch: u64, state: &JobState, operators: Vec<OperatorState>) -> Manifest {
        Manifest {
            format: FORMAT,
            flowline: env!("CARGO_PKG_VERSION").to_string(),
            job: self.job.clone(),
            origin: self.origin.clone(),
            began_with: None,
            epoch,
            kind: Kind::Checkpoint,
            time: state.time,
            finished: state.finished,
            sources: state.sources.clone(),
            operators,
            sinks: state.sinks.clone(),
        }
    }

    /// Keeps the newest `retained` checkpoints and removes the others, then the files that none of those left needs. With
    /// `committed`, checkpoints from that one on are kept in any case.
    ///
    /// # Errors
    /// Where the store fails. What could be removed is.
    pub async fn retain(&self, retained: usize, committed: u64) -> Result<()> {
        let epochs = self.epochs().await?;
        let least = epochs.get(retained.max(1) - 1);
        let least = least.map_or(0, |least| committed.min(*least));
        self.forget(|epoch| epoch < least).await
    }

    /// Removes one checkpoint, and the files that only it needs.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn remove(&self, epoch: u64) -> Result<()> {
        self.forget(|e| e == epoch).await
    }

    /// Removes checkpoints and the files that only they need.
    ///
    /// # Errors
    /// Where the store fails, or a manifest that stays cannot be read: it may need any file.
    pub async fn forget(&self, which: impl Fn(u64) -> bool) -> Result<()> {
        let (drop, keep): (Vec<u64>, Vec<u64>) =
            self.epochs().await?.into_iter().partition(|e| which(*e));
        if drop.is_empty() {
            return Ok(());
        }
        let needed = self.needed(&keep).await?;
        let mut possible = BTreeSet::new();
        for epoch in drop {
            if let Ok(manifest) = self.manifest(epoch).await {
                possible.extend(manifest.files().map(|f| f.path.clone()));
            }
            self.location.remove(&manifest_file(epoch)).await?;
        }
        for path in possible.difference(&needed) {
            self.location.remove(path).await?;
        }
        Ok(())
    }

    /// Removes files of state that no checkpoint needs: left by runs that were cut off. A later run may have taken over already:
    /// what that writes stays.
    ///
    /// # Errors
    /// Where the store fails, or a manifest cannot be read.
    pub async fn sweep(&self, owner: &Owner) -> Result<()> {
        let needed = self.needed(&self.epochs().await?).await?;
        for (file, _) in self.location.list(STATE).await? {
            let path = state_file(&file);
            let is_later = run_of(&file).is_some_and(|run| run > owner.generation);
            if !is_later && !needed.contains(&path) {
                self.location.remove(&path).await?;
            }
        }
        Ok(())
    }

    async fn needed(&self, epochs: &[u64]) -> Result<BTreeSet<String>> {
        let mut needed = BTreeSet::new();
        for epoch in epochs {
            let manifest = self.manifest(*epoch).await?;
            needed.extend(manifest.files().map(|f| f.path.clone()));
        }
        Ok(needed)
    }

    /// Reads every file of a checkpoint and says what is wrong; nothing, where it is whole.
    ///
    /// # Errors
    /// Where the manifest cannot be read.
    pub async fn verify(location: &Location, manifest: &Manifest) -> Vec<Error> {
        let mut wrong = Vec::new();
        for operator in &manifest.operators {
            for (table, files) in &operator.tables {
                for file in files {
                    let read = read_file(location, file).await;
                    let read = read.and_then(|bytes| decode(table, bytes));
                    wrong.extend(read.err().map(|e| e.at(&operator.title)));
                }
            }
        }
        wrong
    }
}

/// The tables of an operator of a checkpoint or savepoint in `location`, each whole.
///
/// # Errors
/// A file that is missing or damaged.
pub async fn load(location: &Location, operator: &OperatorState) -> Result<Vec<StatePart>> {
    let mut tables = Vec::new();
    for (table, files) in &operator.tables {
        tables.extend(load_table(location, table, files).await?);
    }
    Ok(tables)
}

async fn load_table(location: &Location, table: &str, files: &[FileRef]) -> Result<Vec<StatePart>> {
    let mut parts = Vec::new();
    for file in files {
        let bytes = read_file(location, file).await?;
        let place = || format!("{}/{}", location.url(), file.path);
        parts.extend(decode(table, bytes).map_err(|e| e.at(place()))?);
    }
    location.work(move || merge(parts)).await
}

/// Writes what operators handed over, and says of which files each table consists now.
async fn write_operators(
    folder: &Location,
    files_of: String,
    epoch: u64,
    state: &Arc<JobState>,
    before: Option<&Manifest>,
) -> Result<Vec<OperatorState>> {
    let mut operators = Vec::new();
    for (number, operator) in state.operators.iter().enumerate() {
        let OperatorSnapshot {
            id,
            title,
            watermark,
            parts,
            ended,
        } = operator;
        let names: BTreeSet<&str> = parts.iter().map(TableSnapshot::name).collect();
        let mut tables: BTreeMap<String, Vec<FileRef>> = BTreeMap::new();
        for table in names {
            let earlier = before.map_or(&[][..], |before| before.table(id, table));
            // An instance that has ended gives its state no more: what earlier files hold of it is left out.
            let held = visible(earlier)
                .into_iter()
                .fold(KeyGroups::default(), KeyGroups::or);
            let ended = ended.and(held);
            let path = format!("{files_of}-{number}-{table}.arrow");
            let state = Arc::clone(state);
            let name = table.to_string();
            let made = folder
                .work(move || made(&state, number, &name, ended))
                .await?;
            let mut files = match &made {
                Made::Nothing => Vec::new(),
                Made::NoChanges | Made::File(..) => earlier.to_vec(),
            };
            if let Made::File(made, bytes) = made {
                let new = FileRef {
                    path,
                    epoch,
                    ..made
                };
                // What has not changed since then is there already.
                let same = |f: &&FileRef| f.checksum == new.checksum && f.bytes == new.bytes;
                match new.is_whole().then(|| earlier.iter().find(same)) {
                    Some(Some(same)) => files = vec![same.clone()],
                    _ => {
                        folder.write(&new.path, bytes).await?;
                        files.push(new);
                    }
                }
            }
            let files = needed(&files);
            if !files.is_empty() {
                tables.insert(table.to_string(), files);
            }
        }
        // One without rows too: how far event time had come for it counts, and that it was there.
        operators.push(OperatorState {
            id: id.clone(),
            title: title.clone(),
            watermark: *watermark,
            tables,
        });
    }
    Ok(operators)
}

/// What came of what was handed over of a table.
enum Made {
    /// The table has no rows.
    Nothing,
    /// It is as it was.
    NoChanges,
    /// A file, without path and epoch, and its bytes.
    File(FileRef, Vec<u8>),
}

fn made(state: &JobState, operator: usize, table: &str, ended: KeyGroups) -> Result<Made> {
    let parts = state.operators[operator].parts.iter();
    let parts: Vec<&TableSnapshot> = parts.filter(|part| part.name() == table).collect();
    let whole = parts
        .iter()
        .map(|part| part.whole())
        .fold(ended, KeyGroups::or);
    let is_changes = parts.iter().any(|part| part.is_changes());
    let mut given: Vec<StatePart> = Vec::new();
    for part in parts.iter().filter(|part| part.count() > 0) {
        given.push(part.part()?);
    }
    match (given.is_empty(), parts.first()) {
        (true, _) if !is_changes => return Ok(Made::Nothing),
        (true, _) if whole.is_empty() => return Ok(Made::NoChanges),
        // That there is nothing any more is something.
        (true, Some(first)) => given.push(first.part()?),
        _ => {}
    }
    let mut groups = KeyGroups::default();
    for part in &given {
        groups = groups.or(part.key_groups.values().iter().copied().collect());
        if let Some(changes) = &part.changes {
            groups = groups.or(changes.gone_groups.without(whole));
        }
    }
    let bytes = encode(&given, whole)?;
    let file = FileRef {
        path: String::new(),
        epoch: 0,
        groups,
        whole,
        rows: given.iter().map(|part| part.count() as u64).sum(),
        bytes: bytes.len() as u64,
        checksum: checksum(&bytes),
    };
    Ok(Made::File(file, bytes))
}

/// For each of the files of a table, oldest first, the key groups that it is needed for: later ones do not give them whole.
fn visible(files: &[FileRef]) -> Vec<KeyGroups> {
    let mut whole = KeyGroups::default();
    let visible = files.iter().rev().map(|file| {
        let visible = file.groups.without(whole);
        whole = whole.or(file.whole);
        visible
    });
    let mut visible: Vec<KeyGroups> = visible.collect();
    visible.reverse();
    visible
}

/// Those of the files of a table, oldest first, that are needed: for rows, or because they hide some of another that is.
fn needed(files: &[FileRef]) -> Vec<FileRef> {
    let mut earlier = KeyGroups::default();
    let mut needed = Vec::new();
    for (file, visible) in files.iter().zip(visible(files)) {
        if !visible.is_empty() || !file.whole.and(earlier).is_empty() {
            needed.push(file.clone());
            earlier = earlier.or(file.groups);
        }
    }
    needed
}

fn sealed(manifest: &Manifest) -> Result<Vec<u8>> {
    let failed = |e| Error::internal(format!("a manifest cannot be written as JSON: {e}"));
    let manifest = serde_json::to_value(manifest).map_err(failed)?;
    let checksum = checksum(manifest.to_string().as_bytes());
    serde_json::to_vec_pretty(&Sealed { checksum, manifest }).map_err(failed)
}

async fn read_manifest(location: &Location, file: &str) -> Result<Manifest> {
    let place = format!("{}/{file}", location.url());
    let Some(bytes) = location.read(file).await? else {
        return Err(
            Error::usage(format!("{place}: there is no such checkpoint"))
                .with_help("'flowline checkpoints ls' lists those that are there"),
        );
    };
    let sealed: Sealed = serde_json::from_slice(&bytes)
        .map_err(|e| damaged(&place, &format!("is no manifest: {e}")))?;
    if checksum(sealed.manifest.to_string().as_bytes()) != sealed.checksum {
        return Err(damaged(&place, "does not have the bytes that were written"));
    }
    let format = sealed
        .manifest
        .get("format")
        .and_then(serde_json::Value::as_u64);
    if format != Some(u64::from(FORMAT)) {
        return Err(Error::usage(format!(
            "{place}: written in format {}, this flowline reads format {FORMAT}",
            format.unwrap_or(0)
        ))
        .with_help("use the flowline that wrote it, or start the job from nothing with --fresh"));
    }
    serde_json::from_value(sealed.manifest)
        .map_err(|e| damaged(&place, &format!("is no manifest: {e}")))
}

async fn read_file(location: &Location, file: &FileRef) -> Result<Vec<u8>> {
    let place = format!("{}/{}", location.url(), file.path);
    let Some(bytes) = location.read(&file.path).await? else {
        return Err(damaged(&place, "is missing"));
    };
    if bytes.len() as u64 != file.bytes || checksum(&bytes) != file.checksum {
        return Err(damaged(&place, "does not have the bytes that were written"));
    }
    Ok(bytes)
}

fn damaged(place: &str, what: &str) -> Error {
    Error::external(format!("{place} {what}"))
        .with_help("it was changed or cut off since it was written: restore from another checkpoint ('flowline checkpoints ls')")
}
