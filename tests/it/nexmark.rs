//! The queries of examples/nexmark: all of them run, as one job, and come to the same at any parallelism.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const SIZE: &str = "ALTER TABLE datagen SET ('events.num' = '20000', 'first-event.rate' = '500', 'next-event.rate' = '500');";

fn queries() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/nexmark");
    let files = std::fs::read_dir(folder).unwrap();
    let mut queries: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with('q') && name.ends_with(".sql")
        })
        .collect();
    queries.sort();
    queries
}

/// What each query comes to: its rows in order of their text.
fn results(parallelism: usize) -> BTreeMap<String, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let size = dir.path().join("size.sql");
    std::fs::write(&size, SIZE).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .arg("run")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/nexmark/ddl.sql"))
        .arg(size)
        .args(queries())
        .args(["--parallelism", &parallelism.to_string(), "--capture"])
        .arg(dir.path().join("out"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let rows = |query: PathBuf| {
        let name = query.file_stem().unwrap().to_str().unwrap().to_string();
        let file = format!("out/nexmark_{name}.final.jsonl");
        let text = std::fs::read_to_string(dir.path().join(file)).unwrap();
        let mut rows: Vec<String> = text.lines().map(str::to_string).collect();
        rows.sort();
        (name, rows)
    };
    queries().into_iter().map(rows).collect()
}

#[test]
fn every_query_comes_to_the_same_at_any_parallelism() {
    let [one, three] = [1, 3].map(results);
    assert!(one.len() >= 18);
    for (query, rows) in &one {
        assert!(!rows.is_empty(), "{query} gives no rows");
        assert!(three[query] == *rows, "{query} differs");
    }
    // 46 of 50 events are bids, and q0, q10 and q22 pass all on.
    for query in ["q0", "q10", "q22"] {
        assert_eq!(one[query].len(), 18_400);
    }
}
