//! What drawn expressions and queries share: their files, running them, and judging what differs by differs.tsv.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use libtest_mimic::Failed;

use crate::harness::Variant;

/// One way an answer is not Flink's.
#[derive(Debug, Clone)]
pub struct Difference {
    /// What was asked.
    pub asked: String,
    /// The row, `type`, or `*` where it is about all rows.
    pub place: String,
    pub flink: String,
    pub flowline: String,
}

/// The differences of all trials, for DIFFS.
pub static FOUND: Mutex<Vec<Difference>> = Mutex::new(Vec::new());

/// How all of them are run.
pub const VARIANT: Variant = Variant {
    parallelism: 1,
    batch_rows: 4096,
    seed: 1,
    cut: None,
};

/// What the engine gives; its error or panic as one line.
pub fn guarded<T>(run: impl FnOnce() -> Result<T, flowline::error::Error>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(given)) => Ok(given),
        Ok(Err(e)) => {
            let text = e.to_string();
            Err(text.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("PANIC: {}", said.unwrap_or_default()))
        }
    }
}

/// Runs a trial with room on the stack: nested expressions need more of it in a debug build.
///
/// # Errors
/// The trial's.
pub fn roomy(trial: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Result<(), Failed> {
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    let ended = thread.spawn(trial)?.join();
    ended.unwrap_or_else(|_| Err("the trial panicked".into()))
}

/// A folder beside this one.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// The recorded files of a folder.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().flatten();
    let mut files: Vec<PathBuf> = paths
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == ending) && !p.ends_with("differs.tsv"))
        .collect();
    files.sort();
    files
}

/// The lines of a file.
pub fn read(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.split('\n')
        .filter(|l| !l.is_empty())
        .map(str::to_string)
        .collect()
}

/// What is known to differ, and why.
fn allowed(folder: &Path) -> BTreeMap<String, String> {
    let path = folder.join("differs.tsv");
    if !path.exists() {
        return BTreeMap::new();
    }
    let lines = read(&path).into_iter().filter(|l| !l.starts_with('#'));
    lines
        .map(|l| match l.split_once('\t') {
            Some((asked, reason)) => (asked.to_string(), reason.to_string()),
            None => panic!("{}: no reason: {l}", path.display()),
        })
        .collect()
}

/// Nothing in differs.tsv is unknown to the files.
///
/// # Errors
/// Names what is.
pub fn none_unknown(folder: &Path, known: &BTreeSet<String>) -> Result<(), Failed> {
    let allowed = allowed(folder);
    let unknown: Vec<&String> = allowed.keys().filter(|e| !known.contains(*e)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!("differs.tsv names what no file asks: {unknown:#?}").into())
}

/// The differences are those that differs.tsv of the folder allows, of what was asked.
///
/// # Errors
/// The others, and what is allowed without need.
pub fn judge(
    folder: &Path,
    asked: &BTreeSet<String>,
    found: Vec<Difference>,
) -> Result<(), Failed> {
    if std::env::var_os("DIFFS").is_some() {
        FOUND.lock().unwrap().extend(found);
        return Ok(());
    }
    let allowed = allowed(folder);
    let differing: BTreeSet<&str> = found.iter().map(|d| d.asked.as_str()).collect();
    let mut text = String::new();
    let new: Vec<&Difference> = found
        .iter()
        .filter(|d| !allowed.contains_key(&d.asked))
        .collect();
    let count = new.iter().map(|d| &d.asked).collect::<BTreeSet<_>>().len();
    for d in new.iter().take(60) {
        let _ = writeln!(
            text,
            "{} | {} | {} | {}",
            d.asked, d.place, d.flink, d.flowline
        );
    }
    for entry in allowed
        .keys()
        .filter(|e| asked.contains(*e) && !differing.contains(e.as_str()))
    {
        let _ = writeln!(text, "differs no longer, take it out: {entry}");
    }
    if text.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{count} of {} differ (asked | row | Flink | flowline):\n{text}",
        asked.len()
    )
    .into())
}

/// Writes what all trials found to the file that DIFFS names.
pub fn write_found() {
    let Some(path) = std::env::var_os("DIFFS") else {
        return;
    };
    let mut found = std::mem::take(&mut *FOUND.lock().unwrap());
    found.sort_by(|a, b| (&a.asked, &a.place).cmp(&(&b.asked, &b.place)));
    let lines = found.iter().map(|d| {
        let fields = [&d.asked, &d.place, &d.flink, &d.flowline];
        fields
            .map(|f| f.replace('\t', "\\t").replace('\n', "\\n"))
            .join("\t")
            + "\n"
    });
    std::fs::write(path, lines.collect::<String>()).unwrap();
}
