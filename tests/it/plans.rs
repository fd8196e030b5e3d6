//! What EXPLAIN shows: each file of tests/plans is a command of flowline's and what it prints. PLANS=write writes them anew.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The files, each with its command.
fn plans() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let paths = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let mut plans: Vec<(PathBuf, String)> = paths
        .filter(|p| p.extension().is_some_and(|e| e == "txt"))
        .map(|p| {
            let text = std::fs::read_to_string(&p).unwrap();
            (p, text)
        })
        .collect();
    plans.sort();
    plans
}

fn printed(command: &str) -> String {
    let args = command.strip_prefix("$ flowline ").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(args.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{command}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn explain_shows_the_plans_of_the_files() {
    let plans = plans();
    assert!(plans.len() >= 8);
    let mut wrong = Vec::new();
    for (path, expected) in plans {
        let command = expected.lines().next().unwrap();
        let text = format!("{command}\n{}", printed(command));
        if std::env::var("PLANS").is_ok_and(|v| v == "write") {
            std::fs::write(&path, &text).unwrap();
        } else if text != expected {
            wrong.push(format!("{}:\n{text}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn explain_fits_a_screen_and_names_nothing_of_datafusions() {
    let whole = printed("$ flowline explain sql");
    let listed = plans().into_iter().map(|(_, text)| text);
    for text in listed.chain([whole]) {
        for line in text.lines().skip(1) {
            assert!(line.chars().count() <= 100, "{line}");
            for word in [
                "Int64",
                "Utf8",
                "MonthDayNano",
                "Timestamp(",
                "@0",
                "$group",
                "__common",
            ] {
                assert!(!line.contains(word), "{line}");
            }
        }
    }
}

#[test]
fn the_other_plans_are_shown_with_verbose_only() {
    let plain = printed("$ flowline explain tests/plans/filter.sql");
    let verbose = printed("$ flowline explain --verbose tests/plans/filter.sql");
    assert!(verbose.ends_with(&plain));
    assert!(verbose.contains("== Logical plan of out =="), "{verbose}");
    assert!(verbose.contains("== Optimized plan of out =="), "{verbose}");
    assert!(!plain.contains("Projection:"), "{plain}");
}
