//! Files that nobody sees yet: written under a hidden name beside their place, and renamed once they count.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::error::{Error, Result};
use crate::formats::FileFault;

/// The folder that a table is written to by one job.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    root: PathBuf,
    /// Is in the names of all hidden files of this job and table, and of no others.
    tag: String,
    /// The run that writes.
    run: u64,
    /// How many folders deep the files are.
    depth: usize,
}

/// A file on its way to its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// The folder of its partition below the table's; empty where there are no partitions.
    folder: String,
    /// Its hidden name.
    staged: String,
    /// Its name when it is published.
    name: String,
}

impl Part {
    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// What became of a file that was to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// It has its name now.
    Now,
    /// It had it before.
    Before,
    /// There is neither the hidden file nor the one it was to be.
    Lost,
}

impl Stage {
    /// `owner` is who writes, the job and the table, and `run` which run of it.
    pub(super) fn new(root: PathBuf, owner: &str, run: u64, depth: usize) -> Self {
        Self {
            root,
            tag: format!("{:016x}", XxHash3_64::oneshot(owner.as_bytes())),
            run,
            depth,
        }
    }

    fn folder(&self, folder: &str) -> PathBuf {
        if folder.is_empty() {
            self.root.clone()
        } else {
            self.root.join(folder)
        }
    }

    pub(super) fn staged_path(&self, part: &Part) -> PathBuf {
        self.folder(&part.folder).join(&part.staged)
    }

    pub(super) fn final_path(&self, part: &Part) -> PathBuf {
        self.folder(&part.folder).join(&part.name)
    }

    /// Makes the table's folder.
    ///
    /// # Errors
    /// Where that cannot be.
    pub(super) fn prepare(&self) -> Result<()> {
        make_folder(&self.root)
    }

    /// Begins a file of a partition.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(super) fn create(&self, folder: &str, name: String) -> Result<(Part, File)> {
        let part = Part {
            staged: format!(".{name}.{}.{}.inprogress", self.run, self.tag),
            folder: folder.to_string(),
            name,
        };
        make_folder(&self.folder(folder))?;
        let path = self.staged_path(&part);
        let file = File::create_new(&path).map_err(|e| cannot_write(&path, e))?;
        Ok((part, file))
    }

    /// Gives a file its name. Done twice it changes nothing.
    ///
    /// # Errors
    /// Where the rename fails.
    pub(super) fn publish(&self, part: &Part) -> Result<Published> {
        let (from, to) = (self.staged_path(part), self.final_path(part));
        match std::fs::rename(&from, &to) {
            Ok(()) => Ok(Published::Now),
            Err(e) if e.kind() == ErrorKind::NotFound => match to.try_exists() {
                Ok(true) => Ok(Published::Before),
                Ok(false) => Ok(Published::Lost),
                Err(e) => Err(cannot_write(&to, e)),
            },
            Err(e) => Err(cannot_write(&to, e)),
        }
    }

    /// Cuts a file that was in progress back to its first `length` bytes and gives it its name.
    ///
    /// # Errors
    /// Where it has fewer bytes, or cannot be changed.
    pub(super) fn publish_front(&self, part: &Part, length: u64) -> Result<Published> {
        let path = self.staged_path(part);
        let fail = |e| cannot_write(&path, e);
        let file = match File::options().write(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return self.publish(part),
            Err(e) => return Err(fail(e)),
        };
        let there = file.metadata().map_err(fail)?.len();
        if there < length {
            return Err(Error::external(format!(
                "{}: {there} bytes are left of the {length} that the checkpoint counts on",
                path.display()
            ))
            .with_help(
                "the file was changed or its disk lost data: restore it, or start the job anew",
            ));
        }
        if there > length {
            file.set_len(length).map_err(fail)?;
        }
        file.sync_all().map_err(fail)?;
        self.publish(part)
    }

    /// Makes the names of these files, hidden or not, outlive a power cut.
    ///
    /// # Errors
    /// Where the folders cannot be written.
    pub(super) fn sync_folders<'a>(&self, parts: impl IntoIterator<Item = &'a Part>) -> Result<()> {
        let folders: BTreeSet<&str> = parts.into_iter().map(Part::folder).collect();
        folders
            .into_iter()
            .try_for_each(|folder| sync_folder(&self.folder(folder)))
    }

    /// Removes all hidden files of this job and table that runs up to `run` have left.
    ///
    /// # Errors
    /// Where they cannot be removed.
    pub(super) fn sweep(&self, run: u64) -> Result<()> {
        let ending = format!(".{}.inprogress", self.tag);
        let is_left = |name: &str| {
            let name = name.strip_prefix('.').and_then(|n| n.strip_suffix(&ending));
            let of = name.map(|n| n.rsplit('.').next().and_then(|of| of.parse::<u64>().ok()));
            of.is_some_and(|of| of.is_none_or(|of| of <= run))
        };
        walk(&self.root, self.depth, &mut |path, name| {
            if !is_left(name) {
                return Ok(());
            }
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(cannot_write(&path, e)),
                _ => tracing::debug!("removed {}, which no checkpoint has", path.display()),
            }
            Ok(())
        })
    }

    /// The files that this job has published in this table with rows of epochs after `epoch`, and which epochs; by name.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub(super) fn published_after(&self, epoch: u64) -> Result<Vec<(PathBuf, u64)>> {
        let mut found = Vec::new();
        walk(&self.root, self.depth, &mut |path, name| {
            let of = self.epoch_of(name).filter(|of| *of > epoch);
            found.extend(of.map(|of| (path, of)));
            Ok(())
        })?;
        found.sort();
        Ok(found)
    }

    /// How many bytes a file has that is published; `None`: it is not.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub(super) fn published_length(&self, part: &Part) -> Result<Option<u64>> {
        let path = self.final_path(part);
        match std::fs::metadata(&path) {
            Ok(file) => Ok(Some(file.len())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(cannot_write(&path, e)),
        }
    }

    /// How the name of a file goes on that is published with its checkpoint: whose it is, and which epoch its first row is of.
    pub(super) fn mark_of(&self, epoch: u64) -> String {
        format!("{}-{epoch}", self.tag)
    }

    /// The epoch in the name of a file of this job and table.
    fn epoch_of(&self, name: &str) -> Option<u64> {
        let (_, rest) = name.strip_prefix("part-")?.split_once('-')?;
        let rest = rest.strip_prefix(self.tag.as_str())?.strip_prefix('-')?;
        rest.split('-').next()?.parse().ok()
    }

    /// Puts an empty file into the folder of a partition, in place of one that may be there.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn mark(&self, folder: &str, name: &str) -> Result<()> {
        let folder = self.folder(folder);
        let path = folder.join(name);
        File::create(&path)
            .and_then(|file| file.sync_all())
            .map_err(|e| cannot_write(&path, e))?;
        sync_folder(&folder)
    }
}

/// Makes a folder and those above it that are missing; each is there to stay when this returns.
fn make_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        make_folder(above)?;
    }
    match std::fs::create_dir(path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(e) => Err(cannot_write(path, e)),
        Ok(()) => sync_folder(above.unwrap_or(Path::new("."))),
    }
}

fn sync_folder(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| cannot_write(path, e))
}

/// Calls `each` with every file of a table's folder, hidden ones too, and its name.
fn walk(
    folder: &Path,
    depth: usize,
    each: &mut dyn FnMut(PathBuf, &str) -> Result<()>,
) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(cannot_write(folder, e)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| cannot_write(folder, e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if depth > 0 && name.contains('=') && entry.path().is_dir() {
            walk(&entry.path(), depth - 1, each)?;
        } else {
            each(entry.path(), &name)?;
        }
    }
    Ok(())
}

/// What is wrong with a path that was to be written.
pub(super) fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    use ErrorKind as Kind;
    let (what, help) = match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => (
            "there is no space left for it",
            "free space on its disk, or raise the quota; what was published so far is whole",
        ),
        Kind::FileTooLarge => (
            "the file would get larger than the system allows",
            "raise the limit, or lower 'sink.rolling-policy.file-size'",
        ),
        Kind::PermissionDenied => (
            "permission to write it is denied",
            "let the user that runs flowline write to the folder, or check the option 'path'",
        ),
        Kind::ReadOnlyFilesystem => (
            "its file system is read-only",
            "check the option 'path', or mount it for writing",
        ),
        Kind::NotADirectory | Kind::AlreadyExists => (
            "a file is where a folder should be",
            "check the option 'path': it names the folder to write to",
        ),
        Kind::InvalidFilename => (
            "the system does not take the name",
            "a partition column has a value too long for the name of a folder: partition by another",
        ),
        _ => {
            return Error::external(format!("{}: cannot be written: {error}", path.display()))
                .with_help(
                    "check the option 'path', the permissions of the folder and the space on its disk",
                )
                .caused_by(error);
        }
    };
    Error::external(format!("{}: {what}", path.display()))
        .with_help(help)
        .caused_by(error)
}

/// What is wrong with a file of columns that was to be written.
pub(super) fn cannot_write_rows(path: &Path, fault: FileFault) -> Error {
    match fault {
        FileFault::Io(error) => cannot_write(path, error),
        FileFault::Content { column, reason } => Error::data(match column {
            Some(column) => format!("{}: column '{column}': {reason}", path.display()),
            None => format!("{}: {reason}", path.display()),
        }),
    }
}
