//! Conformance: every folder of tests/cases is a script with input rows and the rows real Flink gave (tests/record.py). Each
//! case runs under several parallelisms, batch sizes and interleavings, and cut in two by a snapshot that is restored at
//! another parallelism; every run must give Flink's rows. Expressions and queries that were drawn by seed are trials beside them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flowline::error::Error;
use harness::{Script, Variant, difference};
use libtest_mimic::{Arguments, Failed, Trial};

mod expressions;
mod harness;
mod queries;

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
    let drawn = expressions::trials().into_iter().chain(queries::trials());
    let conclusion = libtest_mimic::run(&args, trials.chain(drawn).collect());
    expressions::judge::write_found();
    conclusion.exit();
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
        parallelism: 4,
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
    script: Script,
    errors: Vec<String>,
    expected: BTreeMap<String, Vec<String>>,
    must_fail: bool,
    /// Of its input.
    bytes: u64,
    /// The highest that it is run at.
    parallelism: usize,
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
    let parallelism = directive("parallelism");
    let parallelism = parallelism
        .first()
        .map_or(usize::MAX, |n| n.parse().unwrap());
    let settings = directive("set")
        .iter()
        .filter_map(|s| s.split_once('='))
        .map(|(k, v)| (k.trim().into(), v.trim().into()))
        .collect();
    Case {
        script: Script {
            text,
            settings,
            sources: inputs(dir),
        },
        errors,
        expected,
        must_fail,
        bytes: input_bytes(dir),
        parallelism,
    }
}

/// The files of a case that tables are read from.
fn inputs(dir: &Path) -> BTreeMap<String, PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().flatten().map(|e| e.path());
    paths
        .filter(|p| {
            p.extension()
                .is_some_and(|e| e == "jsonl" || e == "csv" || e == "raw")
        })
        .map(|p| (p.file_stem().unwrap().to_string_lossy().into_owned(), p))
        .collect()
}

fn input_bytes(dir: &Path) -> u64 {
    let sizes = inputs(dir)
        .into_values()
        .filter_map(|p| std::fs::metadata(p).ok());
    sizes.map(|m| m.len()).sum()
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
    for mut variant in variants(case.bytes > LARGE) {
        variant.parallelism = variant.parallelism.min(case.parallelism);
        variant.cut = variant.cut.map(|(at, n)| (at, n.min(case.parallelism)));
        let result = runtime.block_on(case.script.run(variant));
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
