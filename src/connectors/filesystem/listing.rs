//! Which files there are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::catalog::options::OptionError;
use crate::error::{Error, Result};

/// Folders within folders are followed this deep; deeper is taken for a cycle of links.
const MAX_DEPTH: usize = 64;

/// Endings of compressed files, which Flink unpacks by their name.
const COMPRESSED: &[&str] = &["bz2", "deflate", "gz", "gzip", "xz", "zst", "zstd"];

/// A file to be read.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The same as text: the name of its partition.
    pub(super) name: Arc<str>,
    /// Its size when it was listed.
    pub(super) size: u64,
    /// When it was last changed, in milliseconds since the epoch.
    pub(super) modified: i64,
}

/// A file or a folder of files.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    pattern: Option<regex::Regex>,
}

impl Folder {
    pub(super) fn new(root: PathBuf, pattern: Option<regex::Regex>) -> Self {
        Self { root, pattern }
    }

    /// The file or folder itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Its files in the order of their names, folders within it included, hidden ones (`.` or `_` in front) not.
    ///
    /// # Errors
    /// A path that does not exist or cannot be read.
    pub(super) fn list(&self) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        self.add(&self.root, 0, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn add(&self, path: &Path, depth: usize, found: &mut Vec<Entry>) -> Result<()> {
        let metadata = std::fs::metadata(path).map_err(|e| cannot_read(path, e))?;
        if !metadata.is_dir() {
            if self.pattern.as_ref().is_none_or(|p| matches(p, path)) {
                let modified = metadata
                    .modified()
                    .ok()
                    .and_then(|t| t.duration_since(UNIX_EPOCH).ok());
                found.push(Entry {
                    path: path.to_path_buf(),
                    name: path.to_string_lossy().into(),
                    size: metadata.len(),
                    modified: modified
                        .and_then(|d| i64::try_from(d.as_millis()).ok())
                        .unwrap_or(0),
                });
            }
            return Ok(());
        }
        if depth == MAX_DEPTH {
            return Err(Error::external(format!(
                "{}: folders are nested too deeply",
                path.display()
            ))
            .with_help("is there a link that points back to a folder above it?"));
        }
        for entry in std::fs::read_dir(path).map_err(|e| cannot_read(path, e))? {
            let entry = entry.map_err(|e| cannot_read(path, e))?;
            let name = entry.file_name();
            if !name.as_encoded_bytes().starts_with(b".")
                && !name.as_encoded_bytes().starts_with(b"_")
            {
                self.add(&entry.path(), depth + 1, found)?;
            }
        }
        Ok(())
    }
}

fn matches(pattern: &regex::Regex, path: &Path) -> bool {
    std::path::absolute(path).is_ok_and(|p| pattern.is_match(&p.to_string_lossy()))
}

/// What is wrong with a path.
pub(super) fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind as Kind;
    let (what, help) = match error.kind() {
        Kind::NotFound => ("there is no such file or folder", "check the option 'path'"),
        Kind::PermissionDenied => (
            "permission to read it is denied",
            "let the user that runs flowline read it",
        ),
        _ => ("cannot be read", "check the file and the disk it is on"),
    };
    let message = match error.kind() {
        Kind::NotFound | Kind::PermissionDenied => format!("{}: {what}", path.display()),
        _ => format!("{}: {what}: {error}", path.display()),
    };
    Error::external(message).with_help(help).caused_by(error)
}

/// Refuses what would only give one bad row after another.
///
/// # Errors
/// A compressed file.
pub(super) fn check_readable(path: &Path) -> Result<()> {
    let ending = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    if COMPRESSED.contains(&ending.as_str()) {
        return Err(Error::usage(format!(
            "{}: compressed files cannot be read yet",
            path.display()
        ))
        .with_help("unpack it first"));
    }
    Ok(())
}

/// The path that the option `path` means: a plain path or a `file:` URL.
///
/// # Errors
/// Another scheme.
pub(super) fn local_path(text: &str) -> std::result::Result<PathBuf, OptionError> {
    let wrong = |message: String| Err(OptionError::new("path", message));
    if text.is_empty() {
        return wrong("'path' is empty".to_string());
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return Ok(PathBuf::from(text));
    };
    if scheme == "file" {
        let path = match rest.strip_prefix("//") {
            Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
            None => rest,
        };
        return if path.starts_with('/') {
            Ok(PathBuf::from(path))
        } else {
            wrong(format!(
                "'path' = '{text}': a file URL has three slashes: file:///folder/file"
            ))
        };
    }
    if rest.starts_with("//") && scheme.chars().all(|c| c.is_ascii_alphanumeric()) {
        return wrong(format!(
            "'path' = '{text}': only local files can be read and written, not '{scheme}'"
        ));
    }
    Ok(PathBuf::from(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_and_file_urls() {
        for (text, path) in [
            ("a/b.json", "a/b.json"),
            ("/a/b.json", "/a/b.json"),
            ("file:///a/b.json", "/a/b.json"),
            ("file:/a/b.json", "/a/b.json"),
            ("file://localhost/a", "/a"),
            ("/a/12:30.json", "/a/12:30.json"),
        ] {
            assert_eq!(local_path(text).unwrap(), PathBuf::from(path));
        }
        assert!(
            local_path("s3://bucket/a")
                .unwrap_err()
                .message
                .contains("'s3'")
        );
        assert!(
            local_path("file://a/b")
                .unwrap_err()
                .message
                .contains("three slashes")
        );
        assert!(local_path("").is_err());
    }

    #[test]
    fn folders_are_listed_in_order_without_hidden_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b/2.json",
            "b/1.json",
            "a.json",
            ".hidden",
            "_success",
            "_tmp/x.json",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "{}").unwrap();
        }
        let names = |folder: &Folder| -> Vec<String> {
            let prefix = format!("{}/", dir.path().display());
            folder
                .list()
                .unwrap()
                .iter()
                .map(|e| e.name.replace(&prefix, ""))
                .collect()
        };
        assert_eq!(
            names(&Folder::new(dir.path().into(), None)),
            ["a.json", "b/1.json", "b/2.json"]
        );
        let pattern = regex::Regex::new("^(?:.*/b/.*)$").unwrap();
        assert_eq!(
            names(&Folder::new(dir.path().into(), Some(pattern))),
            ["b/1.json", "b/2.json"]
        );
        let missing = Folder::new(dir.path().join("none"), None)
            .list()
            .unwrap_err();
        assert!(
            missing
                .message
                .ends_with("none: there is no such file or folder")
        );
    }
}
