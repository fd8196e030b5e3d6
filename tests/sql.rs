//! Conformance: every folder of tests/cases is a script with input rows and the rows real Flink gave (tests/record.py). Each
//! case runs under several parallelisms, batch sizes and interleavings, and cut in two by a snapshot that is restored at
//! another parallelism; every run must give Flink's rows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowline::catalog::Table;
use flowline::connectors::capture::{Capture, Change, fold};
use flowline::connectors::{Sink, SinkMode};
use flowline::error::Error;
use flowline::runtime::{Simulation, Snapshot, simulate};
use flowline::session::{Session, SessionConfig};
use flowline::sql::SourceFile;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

fn main() {
    let args = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut dirs = Vec::new();
    find_cases(&root, &mut dirs);
    dirs.sort();
    let trials = dirs.into_iter().map(|dir| {
        let name = dir
            .strip_prefix(&root)
            .unwrap_or(&dir)
            .to_string_lossy()
            .into_owned();
        Trial::test(name, move || run_case(&dir))
    });
    libtest_mimic::run(&args, trials.collect()).exit();
}

fn find_cases(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.join("case.sql").exists() {
            out.push(path);
        } else if path.is_dir() {
            find_cases(&path, out);
        }
    }
}

/// One way of running a case.
#[derive(Debug, Clone, Copy)]
struct Variant {
    parallelism: usize,
    batch_rows: usize,
    seed: u64,
    /// Cut after so many source events and go on at another parallelism.
    cut: Option<(usize, usize)>,
}

const VARIANTS: &[Variant] = &[
    Variant {
        parallelism: 1,
        batch_rows: 4096,
        seed: 1,
        cut: None,
    },
    Variant {
        parallelism: 1,
        batch_rows: 1,
        seed: 2,
        cut: None,
    },
    Variant {
        parallelism: 3,
        batch_rows: 4096,
        seed: 3,
        cut: None,
    },
    Variant {
        parallelism: 3,
        batch_rows: 1,
        seed: 4,
        cut: None,
    },
    Variant {
        parallelism: 3,
        batch_rows: 3,
        seed: 5,
        cut: None,
    },
    Variant {
        parallelism: 1,
        batch_rows: 2,
        seed: 6,
        cut: Some((3, 3)),
    },
    Variant {
        parallelism: 3,
        batch_rows: 2,
        seed: 7,
        cut: Some((5, 1)),
    },
    Variant {
        parallelism: 2,
        batch_rows: 5,
        seed: 8,
        cut: Some((2, 3)),
    },
];

/// The fixed variants, and as many drawn by seed as SEEDS says: `SEEDS=50 cargo test --test sql`. Where there are many rows
/// (`large`) the small batches are a hundred times as large.
fn variants(large: bool) -> Vec<Variant> {
    let more: u64 = std::env::var("SEEDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let drawn = (1000..1000 + more).map(|seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        Variant {
            parallelism: random.usize(1..5),
            batch_rows: [1, 2, 3, 7, 4096][random.usize(..5)],
            seed,
            cut: random
                .bool()
                .then(|| (random.usize(..12), random.usize(1..5))),
        }
    });
    let scaled = |mut v: Variant| {
        if large && v.batch_rows < 100 {
            v.batch_rows *= 100;
        }
        v
    };
    VARIANTS.iter().copied().chain(drawn).map(scaled).collect()
}

struct Case {
    text: String,
    dir: PathBuf,
    errors: Vec<String>,
    settings: Vec<(String, String)>,
    expected: BTreeMap<String, Vec<String>>,
    must_fail: bool,
    /// Of its input.
    bytes: u64,
}

/// From so many bytes of input on small batches take too long.
const LARGE: u64 = 500_000;

fn load_case(dir: &Path) -> Case {
    let text = include(&dir.join("case.sql"));
    let directive = |name: &str| -> Vec<String> {
        let head = format!("-- {name}: ");
        text.lines()
            .filter_map(|l| l.strip_prefix(&head))
            .map(str::to_string)
            .collect()
    };
    let differs = !directive("differs").is_empty();
    let own = dir.join("expected-flowline");
    let errors = directive("error");
    let expected_dir = if differs && own.is_dir() {
        own
    } else {
        dir.join("expected")
    };
    let mut expected = BTreeMap::new();
    for entry in std::fs::read_dir(&expected_dir)
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(sink) = name.strip_suffix(".final.jsonl") {
            let rows = std::fs::read_to_string(entry.path()).unwrap();
            expected.insert(sink.to_string(), rows.lines().map(str::to_string).collect());
        }
    }
    // What flowline does not do yet, it must refuse in these words.
    let not_yet = directive("not yet");
    let refused = !not_yet.is_empty();
    let errors = if refused { not_yet } else { errors };
    let must_fail =
        refused || expected_dir.join("error.txt").exists() || (differs && !errors.is_empty());
    let settings = directive("set")
        .iter()
        .filter_map(|s| s.split_once('='))
        .map(|(k, v)| (k.trim().into(), v.trim().into()))
        .collect();
    Case {
        text,
        dir: dir.to_path_buf(),
        errors,
        settings,
        expected,
        must_fail,
        bytes: input_bytes(dir),
    }
}

fn input_bytes(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = files.filter_map(|f| std::fs::metadata(f.path()).ok());
    sizes.filter(|m| m.is_file()).map(|m| m.len()).sum()
}

/// The script with its `--!include FILE` lines replaced by the files.
fn include(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut out = String::new();
    for line in text.lines() {
        match line.strip_prefix("--!include ") {
            Some(file) => out += &include(&path.parent().unwrap().join(file.trim())),
            None => {
                out += line;
                out.push('\n');
            }
        }
    }
    out
}

fn run_case(dir: &Path) -> Result<(), Failed> {
    let case = load_case(dir);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for variant in variants(case.bytes > LARGE) {
        let result = runtime.block_on(run_variant(&case, variant));
        let fail = |message: String| Err(Failed::from(format!("{variant:?}\n{message}")));
        match (result, case.must_fail) {
            (Err(e), true) => {
                let text = full_text(&e);
                if let Some(missing) = case.errors.iter().find(|m| !text.contains(m.as_str())) {
                    return fail(format!("the error does not say '{missing}':\n{text}"));
                }
            }
            (Ok(_), true) => return fail("it should fail, but ran".into()),
            (Err(e), false) => return fail(full_text(&e)),
            (Ok(got), false) => {
                for (sink, rows) in &case.expected {
                    let none = Vec::new();
                    if let Some(diff) = difference(rows, got.get(sink).unwrap_or(&none)) {
                        return fail(format!("sink {sink}:\n{diff}"));
                    }
                }
                if case.expected.is_empty() {
                    return fail("the case expects nothing: record it".into());
                }
            }
        }
    }
    Ok(())
}

fn full_text(error: &Error) -> String {
    let mut text = error.to_string();
    for help in error
        .diagnostics
        .iter()
        .filter_map(|d| d.help.as_ref())
        .chain(&error.help)
    {
        text += &format!("\nhelp: {help}");
    }
    text
}

async fn run_variant(
    case: &Case,
    variant: Variant,
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let (first, snapshot) = run_once(case, variant, variant.parallelism, None).await?;
    let Some((_, parallelism)) = variant.cut else {
        return final_rows(&[first]);
    };
    let (second, _) = run_once(case, variant, parallelism, snapshot).await?;
    final_rows(&[first, second])
}

async fn run_once(
    case: &Case,
    variant: Variant,
    parallelism: usize,
    restore: Option<Snapshot>,
) -> Result<(Arc<Capture>, Option<Snapshot>), Error> {
    let capture = Capture::in_memory();
    let mut sources = BTreeMap::new();
    for entry in std::fs::read_dir(&case.dir).unwrap().flatten() {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|e| e == "jsonl" || e == "csv" || e == "raw")
        {
            sources.insert(
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                path,
            );
        }
    }
    let mut session = Session::new(SessionConfig {
        sources,
        capture: Some(Arc::clone(&capture)),
        parallelism: Some(parallelism),
        batch_rows: variant.batch_rows,
        ..SessionConfig::default()
    });
    for (key, value) in &case.settings {
        session
            .settings
            .set(key, value)
            .map_err(|e| Error::usage(e.message))?;
    }
    session.load(&SourceFile::new("case.sql", &case.text))?;
    let graph = session.graph()?;
    let shown = Arc::clone(&capture);
    let selects = move |name: &str, table: &Table| -> Arc<dyn Sink> {
        shown.sink(name, SinkMode::Retract, table)
    };
    let simulation = Simulation {
        seed: variant.seed,
        cut_after: variant
            .cut
            .filter(|_| restore.is_none())
            .map(|(after, _)| after),
        restore,
    };
    let (snapshot, _) = simulate(
        &graph,
        &session.connect(&selects),
        &session.job_options(),
        &simulation,
    )
    .await?;
    Ok((capture, snapshot))
}

fn final_rows(runs: &[Arc<Capture>]) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut rows = BTreeMap::new();
    for name in runs[0].names() {
        let changes: Vec<Change> = runs.iter().flat_map(|r| r.changes(&name)).collect();
        rows.insert(name.clone(), fold(&changes, runs[0].key(&name).as_deref())?);
    }
    Ok(rows)
}

/// Compares rows as multisets, numbers within a relative 1e-9 (sums of doubles depend on their order).
fn difference(expected: &[String], got: &[String]) -> Option<String> {
    let mut left: Vec<(&String, Value)> = got
        .iter()
        .map(|r| (r, serde_json::from_str(r).unwrap_or(Value::Null)))
        .collect();
    let mut missing = Vec::new();
    for row in expected {
        let value: Value = serde_json::from_str(row).unwrap_or(Value::Null);
        let at = left
            .iter()
            .position(|(text, _)| *text == row)
            .or_else(|| left.iter().position(|(_, v)| same(v, &value)));
        match at {
            Some(i) => {
                left.swap_remove(i);
            }
            None => missing.push(row),
        }
    }
    if missing.is_empty() && left.is_empty() {
        return None;
    }
    let mut text = format!("expected {} rows, got {}\n", expected.len(), got.len());
    missing
        .iter()
        .take(12)
        .for_each(|r| text += &format!("- {r}\n"));
    left.iter()
        .take(12)
        .for_each(|(r, _)| text += &format!("+ {r}\n"));
    Some(text)
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (
                a.as_f64().unwrap_or(f64::NAN),
                b.as_f64().unwrap_or(f64::NAN),
            );
            a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}
