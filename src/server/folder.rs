//! The data folder of a server: who has it, the jobs that were submitted, and what happened to them.
//!
//! ```text
//! DATA/server.lock          locked by the server that has the folder
//! DATA/jobs/NAME/job.json   what was submitted, and whether it is to run
//! DATA/jobs/NAME/log.jsonl  what happened to it
//! DATA/checkpoints/NAME/    its checkpoints
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::pipeline::Pipeline;
use crate::error::{Error, Result};

/// A job as it was submitted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Submission {
    /// Unique on a server.
    pub name: String,
    /// What it runs.
    pub pipeline: Pipeline,
    /// When it was submitted first, in milliseconds since 1970.
    pub submitted: i64,
    /// The savepoint that it began with.
    pub restore: Option<String>,
    /// State that fits no operator is given up.
    pub drop_state: bool,
    /// Whether it is to run; else it was stopped.
    pub runs: bool,
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When, in milliseconds since 1970.
    pub time: i64,
    /// What.
    pub text: String,
}

/// The data folder. As long as it lives no other server can have the folder.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Takes the folder; makes it where it is not there.
    ///
    /// # Errors
    /// Another server has it; it cannot be written.
    pub fn open(root: &Path) -> Result<Self> {
        let failed = |e| {
            Error::external(format!("the data folder {} cannot be used", root.display()))
                .caused_by(e)
        };
        fs::create_dir_all(root.join("jobs")).map_err(failed)?;
        let root = fs::canonicalize(root).map_err(failed)?;
        let path = root.join("server.lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::usage(format!(
                "another server has the data folder {}",
                root.display()
            ))
            .with_help("stop that server first, or name another folder with --data")),
            Err(TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    /// Where checkpoints are kept.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The jobs that were submitted.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub fn jobs(&self) -> Result<Vec<Submission>> {
        let folder = self.root.join("jobs");
        let mut jobs = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|e| unreadable(&folder, e))? {
            let path = entry
                .map_err(|e| unreadable(&folder, e))?
                .path()
                .join("job.json");
            let text = match fs::read(&path) {
                Ok(text) => text,
                // It was being submitted or removed when the server died.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(unreadable(&path, e)),
            };
            let job = serde_json::from_slice(&text).map_err(|e| {
                Error::external(format!("{} is damaged: {e}", path.display()))
                    .with_help("repair or remove its folder, and submit the job again; its checkpoints are kept elsewhere")
            })?;
            jobs.push(job);
        }
        Ok(jobs)
    }

    /// Keeps a submission. It is there whole or not at all, whenever the machine stops.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn store(&self, job: &Submission) -> Result<()> {
        let folder = self.job(&job.name);
        let failed = |e| unwritable(&folder, e);
        let json = serde_json::to_vec_pretty(job)
            .map_err(|e| Error::internal("a submission is no JSON").caused_by(e))?;
        fs::create_dir_all(&folder).map_err(failed)?;
        let (new, path) = (folder.join("job.json.new"), folder.join("job.json"));
        let mut file = File::create(&new).map_err(failed)?;
        file.write_all(&json).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)?;
        for folder in [&folder, &self.root.join("jobs")] {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Forgets a job, and its checkpoints with it.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn remove(&self, name: &str) -> Result<()> {
        for folder in [self.job(name), self.checkpoints().join(name)] {
            match fs::remove_dir_all(&folder) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(unwritable(&folder, e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds a line to the log of a job.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&self, name: &str, line: &LogLine) -> Result<()> {
        let path = self.job(name).join("log.jsonl");
        let mut json = serde_json::to_vec(line)
            .map_err(|e| Error::internal("a log line is no JSON").caused_by(e))?;
        json.push(b'\n');
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(&json))
            .map_err(|e| unwritable(&path, e))
    }

    /// The log of a job from a place in bytes on, and the place after it. A line that is not whole yet, or was cut off by a crash, is
    /// left out.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn log(&self, name: &str, from: u64) -> Result<(Vec<LogLine>, u64)> {
        let path = self.job(name).join("log.jsonl");
        let mut text = Vec::new();
        let read = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(from))?;
            file.read_to_end(&mut text)
        });
        match read {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), from)),
            Err(e) => return Err(unreadable(&path, e)),
            Ok(_) => {}
        }
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines = text[..whole].split(|byte| *byte == b'\n');
        let lines = lines.filter_map(|line| serde_json::from_slice(line).ok());
        Ok((lines.collect(), from + whole as u64))
    }

    fn job(&self, name: &str) -> PathBuf {
        self.root.join("jobs").join(name)
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::external(format!("cannot read {}", path.display())).caused_by(error)
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::external(format!("cannot write {}", path.display())).caused_by(error)
}
