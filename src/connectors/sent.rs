//! Bad rows that were sent back, so that they are not sent again: offsets committed for a consumer group, or names of files.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::kafka;
use crate::catalog::Table;
use crate::error::{Error, Result};

/// The names of the files whose rows were sent back, one a line.
const SENT: &str = ".sent-back";
/// The files whose rows are being sent back.
const SENDING: &str = ".sending-back";

/// The bad rows that are sent back now: all that were not yet.
#[derive(Debug, Clone)]
pub struct Sent(Kept);

#[derive(Debug, Clone)]
enum Kept {
    Topic {
        table: Box<Table>,
        topic: String,
        group: String,
        ends: Vec<(i32, i64)>,
    },
    Folder {
        folder: PathBuf,
        names: Vec<String>,
    },
}

impl Sent {
    /// Those in a topic at the cluster of `table`, up to its present end.
    ///
    /// # Errors
    /// Nobody answers, or there is no such topic.
    pub async fn of_topic(table: &Table, topic: &str) -> Result<Self> {
        Ok(Self(Kept::Topic {
            ends: kafka::ends(table, topic).await?,
            group: format!("{topic}-of-{}-sent-back", table.name),
            topic: topic.to_string(),
            table: Box::new(table.clone()),
        }))
    }

    /// Those in the files of a folder that are there now.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn of_folder(folder: &str) -> Result<Self> {
        let folder = PathBuf::from(folder);
        let names = gather(&folder).map_err(|e| cannot(&folder, "be read", &e))?;
        Ok(Self(Kept::Folder { folder, names }))
    }

    /// The options by which a table reads them.
    pub fn options(&self) -> Vec<(String, String)> {
        let options = match &self.0 {
            Kept::Topic { group, ends, .. } => {
                let ends = ends.iter();
                let ends: Vec<String> = ends
                    .map(|(p, o)| format!("partition:{p},offset:{o}"))
                    .collect();
                vec![
                    ("scan.startup.mode", "group-offsets".to_string()),
                    ("properties.group.id", group.clone()),
                    ("properties.auto.offset.reset", "earliest".to_string()),
                    ("scan.bounded.mode", "specific-offsets".to_string()),
                    ("scan.bounded.specific-offsets", ends.join(";")),
                ]
            }
            Kept::Folder { folder, .. } => {
                let path = folder.join(SENDING);
                vec![("path", path.display().to_string())]
            }
        };
        let options = options.into_iter();
        options.map(|(k, v)| (k.to_string(), v)).collect()
    }

    /// All of them have arrived: they are not sent again.
    ///
    /// # Errors
    /// That cannot be kept.
    pub async fn done(self) -> Result<()> {
        match self.0 {
            Kept::Topic {
                table,
                topic,
                group,
                ends,
            } => kafka::commit(&table, &topic, &group, ends).await,
            Kept::Folder { folder, names } => {
                note(&folder, &names).map_err(|e| cannot(&folder, "be written to", &e))
            }
        }
    }
}

/// Puts the files that were not sent back yet where they are read from: links to them, or copies.
fn gather(folder: &Path) -> std::io::Result<Vec<String>> {
    let sent = match std::fs::read_to_string(folder.join(SENT)) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e),
    };
    let sent: BTreeSet<&str> = sent.lines().collect();
    let sending = folder.join(SENDING);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_hidden = name.starts_with(['.', '_']);
        if !is_hidden && entry.file_type()?.is_file() && !sent.contains(name.as_str()) {
            names.push(name);
        }
    }
    // Left by one that was cut off.
    if sending.exists() {
        std::fs::remove_dir_all(&sending)?;
    }
    std::fs::create_dir(&sending)?;
    for name in &names {
        let (from, to) = (folder.join(name), sending.join(name));
        if std::fs::hard_link(&from, &to).is_err() {
            std::fs::copy(from, to)?;
        }
    }
    Ok(names)
}

fn note(folder: &Path, names: &[String]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).append(true).open(folder.join(SENT))?;
    let lines = names.iter().map(|name| format!("{name}\n"));
    file.write_all(lines.collect::<String>().as_bytes())?;
    file.sync_all()?;
    std::fs::remove_dir_all(folder.join(SENDING))
}

fn cannot(folder: &Path, what: &str, error: &std::io::Error) -> Error {
    Error::external(format!(
        "the folder of bad rows {} cannot {what}: {error}",
        folder.display()
    ))
}
