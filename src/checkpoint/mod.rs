//! Checkpoints: a manifest and Arrow files in an object store, written once and referenced by the checkpoints that follow.
//!
//! ```text
//! <dir>/<job>/manifests/000000000042.json   what checkpoint 42 is made of, with a checksum over itself
//! <dir>/<job>/state/000000000042-....arrow  rows of one table of one operator, from one instance
//! <dir>/<job>/owners/0000000007.json        the 7th run of the job: a later one shuts out an earlier one
//! <dir>/<job>/requests/...                  what others ask of the running job
//! ```
//!
//! A checkpoint is there once its manifest is, which comes last and in one piece. A manifest is never changed.

mod files;
mod location;
mod owners;
mod requests;
mod store;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::state::{KeyGroups, TableSnapshot};

pub use location::Location;
pub use owners::Owner;
pub use requests::{Answer, LOOK, Request};
pub use store::{Checkpoints, Listed, load};

/// The version of the layout. Readers refuse others.
pub const FORMAT: u32 = 3;

/// Why a checkpoint was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// By the job itself; it goes when newer ones are there.
    Checkpoint,
    /// Because somebody asked for it: it stays, and holds all its files itself.
    Savepoint,
}

/// What makes a job the one that it is, beside its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Somebody gave it its name.
    #[default]
    Named,
    /// It is named after the first of the files and folders that it was run with, by their absolute paths.
    Files(Vec<String>),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named => f.write_str("a job that was given this name"),
            Self::Files(paths) => f.write_str(&paths.join(" ")),
        }
    }
}

/// A savepoint, wherever it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavepointId {
    /// The job that took it.
    pub job: String,
    /// The number of the checkpoint that it is a copy of.
    pub epoch: u64,
    /// When that was taken.
    pub time: i64,
}

/// Where a partition of a source stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPosition {
    /// The partition.
    pub partition: String,
    /// The connector's position after the last row.
    pub position: String,
    /// Its watermark, in milliseconds since the epoch.
    pub watermark: Option<i64>,
}

/// A source in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// Its stable id.
    pub id: String,
    /// Where its positions count: of a Kafka table the cluster.
    #[serde(default)]
    pub place: Option<String>,
    /// Its partitions.
    pub partitions: Vec<PartitionPosition>,
}

/// A file of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Where it is, below the folder of the job (of a savepoint: below its own folder).
    pub path: String,
    /// The checkpoint it was written by.
    pub epoch: u64,
    /// The key groups that it has rows of, or says of that some have gone.
    pub groups: KeyGroups,
    /// The key groups that it gives whole: of these earlier files do not count. Of others it has what changed since then.
    pub whole: KeyGroups,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// XXH3 of its bytes, in hexadecimal.
    pub checksum: String,
}

impl FileRef {
    /// Whether it is the whole table.
    pub fn is_whole(&self) -> bool {
        self.whole == KeyGroups::ALL
    }
}

/// An operator in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorState {
    /// Its stable id.
    pub id: String,
    /// What it does, for people.
    pub title: String,
    /// How far event time had come for all its instances, in milliseconds since the epoch.
    pub watermark: Option<i64>,
    /// The files of each of its tables, oldest first.
    pub tables: BTreeMap<String, Vec<FileRef>>,
}

/// What the writers of one committer have prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkState {
    /// The committer.
    pub committer: String,
    /// What it needs to make the epoch visible.
    pub prepared: Vec<String>,
}

/// What a checkpoint is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the layout ([`FORMAT`]).
    pub format: u32,
    /// The flowline that wrote it.
    pub flowline: String,
    /// The job.
    pub job: String,
    /// Whose job it is.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// The savepoint that the job has gone on from.
    #[serde(default)]
    pub began_with: Option<SavepointId>,
    /// Its number, which only grows. Also the number of the epoch that it ends.
    pub epoch: u64,
    /// Why it was taken.
    pub kind: Kind,
    /// When, in milliseconds since the epoch of the clock.
    pub time: i64,
    /// The job had read all its input to the end.
    pub finished: bool,
    /// The sources.
    pub sources: Vec<SourceState>,
    /// The operators that have state.
    pub operators: Vec<OperatorState>,
    /// What sinks have prepared.
    pub sinks: Vec<SinkState>,
}

impl Manifest {
    /// The files of a table of an operator.
    pub fn table(&self, operator: &str, table: &str) -> &[FileRef] {
        let mut operators = self.operators.iter();
        let operator = operators.find(|o| o.id == operator);
        let files = operator.and_then(|o| o.tables.get(table));
        files.map_or(&[], Vec::as_slice)
    }

    /// All its files.
    pub fn files(&self) -> impl Iterator<Item = &FileRef> {
        self.operators
            .iter()
            .flat_map(|o| o.tables.values().flatten())
    }

    /// What the writers of one committer have prepared.
    pub fn prepared(&self, committer: &str) -> Vec<String> {
        let of = self.sinks.iter().filter(|s| s.committer == committer);
        of.flat_map(|s| s.prepared.clone()).collect()
    }

    /// What it is as a savepoint.
    pub fn savepoint_id(&self) -> SavepointId {
        SavepointId {
            job: self.job.clone(),
            epoch: self.epoch,
            time: self.time,
        }
    }

    /// Whether it holds nothing: a job begins with it.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.operators.is_empty() && !self.finished
    }

    /// The size of its state, files of earlier checkpoints included.
    pub fn bytes(&self) -> u64 {
        self.files().map(|f| f.bytes).sum()
    }

    /// The size of the files that it wrote itself.
    pub fn new_bytes(&self) -> u64 {
        let own = self.files().filter(|f| f.epoch == self.epoch);
        own.map(|f| f.bytes).sum()
    }

    /// The rows of its state, before older ones are replaced by newer ones.
    pub fn rows(&self) -> u64 {
        self.files().map(|f| f.rows).sum()
    }
}

/// What the instances of an operator handed over.
#[derive(Debug, Default)]
pub struct OperatorSnapshot {
    /// Its stable id.
    pub id: String,
    /// What it does, for people.
    pub title: String,
    /// How far event time had come for all its instances, in milliseconds since the epoch.
    pub watermark: Option<i64>,
    /// The parts of all instances.
    pub parts: Vec<TableSnapshot>,
    /// Key groups of instances that have ended: their state is no more.
    pub ended: KeyGroups,
}

/// A consistent state of a whole job, to be stored.
#[derive(Debug, Default)]
pub struct JobState {
    /// When it was like that, in milliseconds since the epoch of the clock.
    pub time: i64,
    /// The sources.
    pub sources: Vec<SourceState>,
    /// The operators that have state.
    pub operators: Vec<OperatorSnapshot>,
    /// What sinks have prepared.
    pub sinks: Vec<SinkState>,
    /// The job has read all its input to the end.
    pub finished: bool,
}
