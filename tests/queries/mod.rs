//! Queries by the hundred: each line of a file of tests/queries is a query over the tables of tables.sql and the rows that real
//! Flink left when its changelog was applied (tests/oracle/generate.py). Judged as tests/expressions is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::expressions::{Difference, VARIANT, files, folder, guarded, judge, none_unknown, read};
use crate::harness::{Script, difference};

/// A trial for each file, and one for what differs.tsv holds besides.
pub fn trials() -> Vec<Trial> {
    let folder = folder("queries");
    let files: Vec<_> = files(&folder, "jsonl")
        .into_iter()
        .filter(|f| !f.file_name().is_some_and(|n| n.len() == "t1.jsonl".len()))
        .collect();
    let mut trials: Vec<Trial> = files
        .iter()
        .map(|file| {
            let (file, folder) = (file.clone(), folder.clone());
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            Trial::test(format!("queries/{name}"), move || check(&folder, &file))
        })
        .collect();
    trials.push(Trial::test("queries/differs.tsv", move || {
        let known = files.iter().flat_map(|f| recorded(f)).map(|q| q.text);
        none_unknown(&folder, &known.collect())
    }));
    trials
}

/// A query, and the rows that Flink gave or why it does not run there.
struct Recorded {
    text: String,
    rows: Result<Vec<String>, String>,
}

fn recorded(file: &Path) -> Vec<Recorded> {
    let lines = read(file).into_iter().map(|line| {
        let value: Value = serde_json::from_str(&line).unwrap();
        let text = value["query"].as_str().unwrap().to_string();
        let rows = match value["error"].as_str() {
            Some(why) => Err(why.to_string()),
            None => Ok(value["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(Value::to_string)
                .collect()),
        };
        Recorded { text, rows }
    });
    lines.collect()
}

fn check(folder: &Path, file: &Path) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tables = std::fs::read_to_string(folder.join("tables.sql"))?;
    let sources: BTreeMap<_, _> = ["t1", "t2", "t3"]
        .map(|t| (t.to_string(), folder.join(format!("{t}.jsonl"))))
        .into();
    let mut found = Vec::new();
    let recorded = recorded(file);
    for one in &recorded {
        let script = Script {
            text: format!("{tables}\n{};\n", one.text),
            settings: Vec::new(),
            sources: sources.clone(),
        };
        let got = guarded(|| runtime.block_on(script.run(VARIANT)));
        let rows = got.map(|mut sinks| sinks.remove("select_1").unwrap_or_default());
        let (flink, flowline) = match (&one.rows, rows) {
            (Err(_), Err(_)) => continue,
            (Err(why), Ok(rows)) => (format!("refused: {why}"), format!("{} rows", rows.len())),
            (Ok(rows), Err(why)) => (format!("{} rows", rows.len()), why),
            (Ok(expected), Ok(rows)) => match difference(expected, &rows) {
                None => continue,
                Some(text) => (format!("{} rows", expected.len()), text),
            },
        };
        found.push(Difference {
            asked: one.text.clone(),
            place: "*".to_string(),
            flink,
            flowline,
        });
    }
    let asked: BTreeSet<String> = recorded.into_iter().map(|q| q.text).collect();
    judge(folder, &asked, found)
}
