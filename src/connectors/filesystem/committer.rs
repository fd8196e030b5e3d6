//! Publishes what the writers of a table have prepared, epoch by epoch, and marks partitions that are complete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::marks::{self, Marks};
use super::staging::{Part, Published, Stage};
use crate::connectors::{Ahead, Committer, JobContext};
use crate::error::{Error, Result};

/// So many files are named; of more it is said how they are called.
const NAMED: usize = 10;

/// What a writer has prepared for an epoch, as it stands in the checkpoint.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Prepared {
    /// Whole files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<Part>,
    /// Files that go on in the next epoch, and how many bytes of them belong to this one and those before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) open: Vec<(Part, u64)>,
    /// Partitions that are not marked yet, and when they got their first row.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) unmarked: BTreeMap<String, i64>,
}

impl Prepared {
    /// The text for the checkpoint; `None` where there is nothing to say.
    ///
    /// # Errors
    /// None that should come.
    pub(super) fn text(&self) -> Result<Option<String>> {
        if *self == Self::default() {
            return Ok(None);
        }
        serde_json::to_string(self)
            .map(Some)
            .map_err(|e| Error::internal("files cannot be named in JSON").caused_by(e))
    }

    fn read(texts: &[String]) -> Result<Vec<Self>> {
        let read = texts.iter().map(|text| {
            serde_json::from_str(text).map_err(|e| {
                Error::internal(format!(
                    "a checkpoint names files in a way unknown here: {text}"
                ))
                .caused_by(e)
            })
        });
        read.collect()
    }
}

/// What the writers and the committer of one table tell each other within a run.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Notes>);

#[derive(Debug, Default)]
struct Notes {
    /// The newest epoch committed.
    committed: Option<u64>,
    /// Files of writers that have ended, to be published when this epoch is committed.
    ended: Vec<(u64, Vec<Part>)>,
    /// By writer how far it is, and its partitions that are not marked.
    writers: BTreeMap<u64, Writer>,
    /// Partitions of no writer that are not marked: of an earlier run, or of a writer that has ended.
    inherited: BTreeMap<String, i64>,
    /// Names of files that are prepared and not published, and their folders; where partitions are marked.
    unpublished: BTreeMap<String, String>,
}

impl Notes {
    fn inherit(&mut self, unmarked: impl IntoIterator<Item = (String, i64)>) {
        for (folder, since) in unmarked {
            let earliest = self.inherited.entry(folder).or_insert(since);
            *earliest = since.min(*earliest);
        }
    }
}

#[derive(Debug)]
struct Writer {
    watermark: Arc<AtomicI64>,
    partitions: BTreeMap<String, Unmarked>,
}

#[derive(Debug)]
struct Unmarked {
    since: i64,
    /// It has rows that are in no file prepared.
    is_open: bool,
}

impl Board {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A writer begins. It keeps in what is returned how far event time has come for it.
    pub(super) fn enter(&self, writer: u64) -> Arc<AtomicI64> {
        let watermark = Arc::new(AtomicI64::new(i64::MIN));
        let entry = Writer {
            watermark: Arc::clone(&watermark),
            partitions: BTreeMap::new(),
        };
        self.notes().writers.insert(writer, entry);
        watermark
    }

    /// A writer has rows for a partition.
    pub(super) fn open(&self, writer: u64, folder: &str, now: i64) {
        if let Some(entry) = self.notes().writers.get_mut(&writer) {
            match entry.partitions.get_mut(folder) {
                Some(partition) => partition.is_open = true,
                None => {
                    let partition = Unmarked {
                        since: now,
                        is_open: true,
                    };
                    entry.partitions.insert(folder.to_string(), partition);
                }
            }
        }
    }

    /// All rows of a writer are in files that are prepared or published, save for those of the partitions `still_open`.
    pub(super) fn settle<'a>(
        &self,
        writer: u64,
        prepared: impl IntoIterator<Item = &'a Part>,
        still_open: impl Fn(&str) -> bool,
    ) {
        let mut notes = self.notes();
        for part in prepared {
            let folder = part.folder().to_string();
            notes.unpublished.insert(part.name().to_string(), folder);
        }
        if let Some(entry) = notes.writers.get_mut(&writer) {
            for (folder, partition) in &mut entry.partitions {
                partition.is_open = still_open(folder);
            }
        }
    }

    /// A writer will write no more: others remember its partitions.
    pub(super) fn leave(&self, writer: u64) {
        let mut notes = self.notes();
        if let Some(entry) = notes.writers.get_mut(&writer) {
            let left = std::mem::take(&mut entry.partitions);
            notes.inherit(left.into_iter().map(|(folder, p)| (folder, p.since)));
        }
    }

    /// The epoch that rows are of now: after the last one committed.
    pub(super) fn epoch(&self) -> u64 {
        self.notes().committed.unwrap_or(0) + 1
    }

    fn published<'a>(&self, parts: impl IntoIterator<Item = &'a Part>) {
        let mut notes = self.notes();
        for part in parts {
            notes.unpublished.remove(part.name());
        }
    }

    /// When a partition got its first row from this writer, where it is not marked.
    pub(super) fn since(&self, writer: u64, folder: &str) -> Option<i64> {
        let notes = self.notes();
        let partition = notes.writers.get(&writer)?.partitions.get(folder)?;
        Some(partition.since)
    }

    /// What the checkpoint must know of partitions that are not marked: those of a writer and those inherited.
    pub(super) fn unmarked(&self, writer: u64) -> BTreeMap<String, i64> {
        let notes = self.notes();
        let mut unmarked = notes.inherited.clone();
        if let Some(entry) = notes.writers.get(&writer) {
            for (folder, partition) in &entry.partitions {
                let since = unmarked.entry(folder.clone()).or_insert(partition.since);
                *since = partition.since.min(*since);
            }
        }
        unmarked
    }

    /// Hands over the files of a writer that ends, of rows up to `epoch`. Gives them back where that epoch is committed
    /// already, so that nobody else will publish them.
    pub(super) fn end(&self, epoch: u64, parts: Vec<Part>) -> Vec<Part> {
        let mut notes = self.notes();
        if notes.committed.is_some_and(|committed| committed >= epoch) {
            return parts;
        }
        notes.ended.push((epoch, parts));
        Vec::new()
    }

    /// Says that an epoch is committed; the files that waited for it.
    fn committed(&self, epoch: u64) -> Vec<Part> {
        let mut notes = self.notes();
        notes.committed = notes.committed.max(Some(epoch));
        let (due, later) = std::mem::take(&mut notes.ended)
            .into_iter()
            .partition(|(of, _)| *of <= epoch);
        notes.ended = later;
        due.into_iter().flat_map(|(_, parts)| parts).collect()
    }

    /// Marks the partitions that are complete and all published.
    ///
    /// # Errors
    /// Where a marker cannot be written.
    pub(super) fn mark(&self, stage: &Stage, marks: &Marks) -> Result<()> {
        // Held while the files are written: a writer that goes on is to see them marked, or not yet.
        let mut notes = self.notes();
        let now = marks::now();
        let watermarks = notes.writers.values().map(|w| &w.watermark);
        let watermark = watermarks.map(|w| w.load(Ordering::Relaxed)).min();
        let mut found = notes.inherited.clone();
        let mut open: BTreeSet<String> = notes.unpublished.values().cloned().collect();
        for writer in notes.writers.values() {
            for (folder, partition) in &writer.partitions {
                let since = found.entry(folder.clone()).or_insert(partition.since);
                *since = partition.since.min(*since);
                if partition.is_open {
                    open.insert(folder.clone());
                }
            }
        }
        for (folder, since) in found {
            let watermark = watermark.unwrap_or(i64::MIN);
            if open.contains(&folder) || !marks.is_complete(&folder, since, watermark, now)? {
                continue;
            }
            stage.mark(&folder, &marks.file)?;
            tracing::info!("partition '{folder}' is complete");
            notes.inherited.remove(&folder);
            for writer in notes.writers.values_mut() {
                writer.partitions.remove(&folder);
            }
        }
        Ok(())
    }

    fn begin(&self, epoch: Option<u64>, unmarked: impl Iterator<Item = (String, i64)>) {
        let mut notes = self.notes();
        notes.committed = epoch;
        notes.inherit(unmarked);
    }
}

/// Publishes the files of one table in one run.
pub(super) struct FileCommitter {
    pub(super) identity: String,
    pub(super) table: String,
    pub(super) stage: Stage,
    pub(super) job: Arc<JobContext>,
    pub(super) board: Arc<Board>,
    pub(super) marks: Option<Arc<Marks>>,
}

#[async_trait]
impl Committer for FileCommitter {
    fn identity(&self) -> String {
        self.identity.clone()
    }

    async fn recover(&self, _earlier: &[String]) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn ahead(&self, epoch: u64, prepared: &[String]) -> Result<Option<Ahead>> {
        let prepared = Prepared::read(prepared)?;
        let (stage, table) = (self.stage.clone(), self.table.clone());
        blocking(move || {
            let mut files = stage.published_after(epoch)?;
            for (part, length) in prepared.iter().flat_map(|p| &p.open) {
                // It has got more rows since.
                if stage.published_length(part)?.is_some_and(|is| is > *length) {
                    files.push((stage.final_path(part), epoch + 1));
                }
            }
            let Some(last) = files.iter().map(|(_, of)| *of).max() else {
                return Ok(None);
            };
            let paths = files.iter().map(|(path, _)| path.display().to_string());
            let mut named: Vec<String> = paths.take(NAMED).collect();
            if files.len() > NAMED {
                named.push(format!(
                    "and {} more (their names have {} to {} in them)",
                    files.len() - NAMED,
                    stage.mark_of(epoch + 1),
                    stage.mark_of(last)
                ));
            }
            Ok(Some(Ahead {
                epoch: last,
                what: format!("of table '{table}' {}", named.join(", ")),
            }))
        })
        .await
    }

    async fn restore(&self, epoch: Option<u64>, prepared: &[String]) -> Result<()> {
        let prepared = Prepared::read(prepared)?;
        let (stage, board) = (self.stage.clone(), Arc::clone(&self.board));
        let run = self.job.run();
        blocking(move || {
            for part in prepared.iter().flat_map(|p| &p.files) {
                tell_lost(&stage, part, stage.publish(part)?);
            }
            for (part, length) in prepared.iter().flat_map(|p| &p.open) {
                tell_lost(&stage, part, stage.publish_front(part, *length)?);
            }
            stage.sweep(run)?;
            let whole = prepared.iter().flat_map(|p| &p.files);
            let cut = prepared
                .iter()
                .flat_map(|p| p.open.iter().map(|(part, _)| part));
            stage.sync_folders(
                whole
                    .chain(cut)
                    .filter(|part| stage.final_path(part).exists()),
            )?;
            board.begin(epoch, prepared.into_iter().flat_map(|p| p.unmarked));
            Ok(())
        })
        .await
    }

    async fn commit(&self, epoch: u64, prepared: &[String]) -> Result<()> {
        let prepared = Prepared::read(prepared)?;
        let (stage, board) = (self.stage.clone(), Arc::clone(&self.board));
        let marks = self.marks.clone();
        blocking(move || {
            let ended = board.committed(epoch);
            let parts = prepared.iter().flat_map(|p| &p.files).chain(&ended);
            publish(&stage, parts.clone())?;
            match marks {
                Some(marks) => {
                    board.published(parts);
                    board.mark(&stage, &marks)
                }
                None => Ok(()),
            }
        })
        .await
    }
}

/// Gives files their names, to stay.
///
/// # Errors
/// Where one cannot be renamed or is gone.
pub(super) fn publish<'a>(
    stage: &Stage,
    parts: impl Iterator<Item = &'a Part> + Clone,
) -> Result<()> {
    for part in parts.clone() {
        if stage.publish(part)? == Published::Lost {
            return Err(Error::external(format!(
                "{}: somebody removed the file before it was published",
                stage.staged_path(part).display()
            ))
            .with_help("leave hidden files alone while a job writes to the folder"));
        }
    }
    stage.sync_folders(parts)
}

/// A checkpoint may be older than what others did to its files since: they may have been taken away as they should be.
fn tell_lost(stage: &Stage, part: &Part, published: Published) {
    if published == Published::Lost {
        tracing::warn!(
            "{}: the checkpoint names this file, but it is not there: was it moved away after it was published?",
            stage.final_path(part).display()
        );
    }
}

/// Runs what waits for a disk where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(run)
        .await
        .map_err(|e| Error::internal("work on files was cut off").caused_by(e))?
}
