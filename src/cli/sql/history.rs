//! What was typed in earlier shells, in a file that nobody else may read. Secrets are not kept.

use std::path::PathBuf;

use reedline::{
    FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, Result, SearchQuery,
};

use crate::sql::given_options;

/// How many entries are kept.
const ENTRIES: usize = 10_000;

/// The history, without what holds a secret.
pub struct Kept(FileBackedHistory);

impl Kept {
    /// That of earlier shells; why it is not, where it cannot be had.
    pub fn open() -> std::result::Result<Self, String> {
        let file = file().ok_or("neither XDG_STATE_HOME nor HOME is set")?;
        let cannot = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
        create(&file).map_err(|e| cannot(&e))?;
        let kept = FileBackedHistory::with_file(ENTRIES, file.clone());
        kept.map(Self).map_err(|e| cannot(&e))
    }
}

/// Where it is.
fn file() -> Option<PathBuf> {
    let folder = |name: &str| {
        let folder = PathBuf::from(std::env::var_os(name)?);
        folder.is_absolute().then_some(folder)
    };
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("flowline/history"))
}

/// Makes the file where it is not there, for this user only.
fn create(file: &std::path::Path) -> std::io::Result<()> {
    let mut folders = std::fs::DirBuilder::new();
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        folders.mode(0o700);
        options.mode(0o600);
    }
    if let Some(folder) = file.parent() {
        folders.recursive(true).create(folder)?;
    }
    options.create(true).append(true).open(file).map(drop)
}

/// Whether a text gives a password or a token as it is, not as a reference `${...}`.
fn holds_secret(text: &str) -> bool {
    let is_secret = |key: &str| {
        let key = key.to_ascii_lowercase();
        ["password", "token", "secret", "jaas"]
            .iter()
            .any(|word| key.contains(word))
    };
    given_options(text)
        .iter()
        .any(|(key, value)| is_secret(key) && !value.contains("${"))
}

impl History for Kept {
    fn save(&mut self, item: HistoryItem) -> Result<HistoryItem> {
        match holds_secret(&item.command_line) {
            true => Ok(item),
            false => self.0.save(item),
        }
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        self.0.load(id)
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.0.count(query)
    }

    fn search(&self, query: SearchQuery) -> Result<Vec<HistoryItem>> {
        self.0.search(query)
    }

    fn update(
        &mut self,
        id: HistoryItemId,
        updater: &dyn Fn(HistoryItem) -> HistoryItem,
    ) -> Result<()> {
        self.0.update(id, updater)
    }

    fn clear(&mut self) -> Result<()> {
        self.0.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.0.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.0.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.0.session()
    }
}

#[cfg(test)]
mod tests {
    use super::holds_secret;

    #[test]
    fn secrets_are_known_by_their_option() {
        for text in [
            "CREATE TABLE t (a INT) WITH ('properties.sasl.password' = 'x')",
            "SET 's3.secret-key'='x'; SELECT 1",
        ] {
            assert!(holds_secret(text), "{text}");
        }
        for text in [
            "CREATE TABLE t (a INT) WITH ('properties.sasl.password' = '${env:P}')",
            "SELECT password FROM t WHERE a = 'token'",
        ] {
            assert!(!holds_secret(text), "{text}");
        }
    }
}
