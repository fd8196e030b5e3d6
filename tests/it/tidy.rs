//! The repository keeps its own rules: who may use whom, a duty line in every file, no file too long.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which modules of the crate each module may name (`crate::x`). ARCHITECTURE.md says why.
const ALLOWED: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "batch",
            "catalog",
            "clock",
            "connectors",
            "error",
            "formats",
            "graph",
            "planner",
            "runtime",
            "server",
            "session",
            "settings",
            "sql",
            "changelog",
            "checkpoint",
        ],
    ),
    (
        "server",
        &[
            "batch",
            "catalog",
            "changelog",
            "checkpoint",
            "clock",
            "connectors",
            "error",
            "graph",
            "planner",
            "runtime",
            "secrets",
            "session",
            "sql",
            "state",
            "time",
        ],
    ),
    (
        "session",
        &[
            "catalog",
            "clock",
            "connectors",
            "error",
            "graph",
            "planner",
            "runtime",
            "secrets",
            "settings",
            "sql",
            "checkpoint",
        ],
    ),
    (
        "batch",
        &[
            "time",
            "catalog",
            "changelog",
            "connectors",
            "error",
            "planner",
            "session",
            "sql",
        ],
    ),
    (
        "runtime",
        &[
            "changelog",
            "clock",
            "connectors",
            "error",
            "graph",
            "operators",
            "state",
            "time",
            "checkpoint",
        ],
    ),
    (
        "planner",
        &["catalog", "connectors", "error", "graph", "sql", "time"],
    ),
    (
        "operators",
        &["changelog", "error", "graph", "state", "time"],
    ),
    ("graph", &["catalog", "state", "time"]),
    (
        "connectors",
        &[
            "catalog",
            "changelog",
            "error",
            "formats",
            "secrets",
            "sql",
            "clock",
        ],
    ),
    ("formats", &["catalog"]),
    ("changelog", &["error"]),
    ("checkpoint", &["error", "state"]),
    ("state", &["error"]),
    ("time", &[]),
    ("catalog", &["sql"]),
    ("sql", &[]),
    ("error", &["sql"]),
    ("settings", &["catalog", "state"]),
    ("clock", &[]),
    ("secrets", &[]),
];

/// External crates that only some modules may name.
const ONLY: &[(&str, &[&str])] = &[
    ("rdkafka", &["connectors"]),
    (
        "tokio",
        &[
            "checkpoint",
            "cli",
            "connectors",
            "runtime",
            "server",
            "session",
            "main",
        ],
    ),
    ("arrow_flight", &["cli", "server"]),
    ("axum", &["server"]),
    ("prometheus", &["server"]),
    ("argon2", &["server"]),
    ("ring", &["server"]),
    ("tonic", &["cli", "server"]),
    ("object_store", &["checkpoint"]),
    ("parquet", &["formats"]),
    ("clap", &["cli"]),
    ("reedline", &["cli"]),
    (
        "datafusion",
        &["planner", "graph", "operators", "session", "batch", "error"],
    ),
];

const MAX_LINES: usize = 1000;

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    paths
        .into_iter()
        .map(|p| {
            let relative = p
                .strip_prefix(&root)
                .unwrap_or(&p)
                .to_string_lossy()
                .into_owned();
            let module = relative
                .split('/')
                .next()
                .unwrap_or_default()
                .trim_end_matches(".rs")
                .to_string();
            let text = std::fs::read_to_string(&p).unwrap_or_default();
            (module, p, text)
        })
        .collect()
}

/// The lines that are code, up to the file's tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|l| !l.starts_with("#[cfg(test)]"))
        .filter(|l| !l.trim_start().starts_with("//"))
}

fn words_behind<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    line.match_indices(prefix)
        .filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .map(|(at, _)| {
            line[at + prefix.len()..]
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default()
        })
        .collect()
}

#[test]
fn modules_use_only_what_they_may() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        if module == "lib"
            || path
                .file_name()
                .is_some_and(|n| n == "tests.rs" || n == "testing.rs")
            || path.components().any(|c| c.as_os_str() == "tests")
        {
            continue;
        }
        let Some(may) = allowed.get(module.as_str()) else {
            wrong.push(format!(
                "{}: module '{module}' is not in the list of who may use whom",
                path.display()
            ));
            continue;
        };
        for line in code(&text) {
            for used in words_behind(line, "crate::") {
                if used != module && !may.contains(&used) && allowed.contains_key(used) {
                    wrong.push(format!(
                        "{}: {module} -> {used}: {}",
                        path.display(),
                        line.trim()
                    ));
                }
            }
            for (name, users) in ONLY {
                let named = format!("{name}::");
                let uses = line.match_indices(&named).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                });
                if uses && !users.contains(&module.as_str()) {
                    wrong.push(format!(
                        "{}: {module} uses {name}: {}",
                        path.display(),
                        line.trim()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_its_duty_and_none_is_too_long() {
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter_map(|(_, path, text)| {
            if !text.starts_with("//! ") {
                return Some(format!("{}: begins without a //! line", path.display()));
            }
            let lines = text.lines().count();
            (lines > MAX_LINES).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn compat_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("COMPAT.md")).unwrap_or_default();
    let mut wrong = Vec::new();
    for row in text
        .lines()
        .filter(|l| l.starts_with("| ") && !l.starts_with("| Feature"))
    {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        for test in cells.last().into_iter().flat_map(|c| c.split(", ")) {
            let at = test.trim_end_matches("/*");
            let exists = [root.join(at), root.join("tests/cases").join(at)]
                .iter()
                .any(|p| p.exists());
            if cells.len() != 3 || !exists {
                wrong.push(format!("{test}: {row}"));
            }
        }
    }
    assert!(
        wrong.is_empty() && !text.is_empty(),
        "\n{}",
        wrong.join("\n")
    );
}

/// IS JSON, what is refused by name, and what gives another answer each time.
const NOT_COMPARED: &[&str] = &[
    "is_json",
    "cume_dist",
    "nth_value",
    "percent_rank",
    "current_date",
    "current_row_timestamp",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "now",
    "rand",
    "rand_integer",
    "uuid",
];

/// Every function is compared with Flink: by drawn expressions and queries, or by a case.
#[test]
fn every_function_is_compared_with_flink() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut texts = Vec::new();
    for file in ["oracle/functions.tsv", "oracle/queries.py"] {
        texts.push(std::fs::read_to_string(tests.join(file)).unwrap());
    }
    for area in std::fs::read_dir(tests.join("cases")).unwrap() {
        for case in std::fs::read_dir(area.unwrap().path()).unwrap() {
            texts.extend(std::fs::read_to_string(
                case.unwrap().path().join("case.sql"),
            ));
        }
    }
    let words: std::collections::HashSet<String> = texts
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .map(str::to_lowercase)
        .collect();
    let missing: Vec<String> = flowline::planner::Functions::new()
        .names()
        .into_iter()
        .filter(|name| !words.contains(name) && !NOT_COMPARED.contains(&name.as_str()))
        .collect();
    assert_eq!(missing, [""; 0], "add them to tests/oracle/functions.tsv");
}
