//! Queries by the hundred: each line of a file of tests/queries is a query over the tables of tables.sql and the rows that real
//! Flink left when its changelog was applied (tests/oracle/generate.py). Judged as tests/expressions is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::expressions::judge::{
    Difference, VARIANT, files, folder, guarded, judge, none_unknown, read, roomy,
};
use crate::harness::{Script, difference};

/// A trial for each file, and one for what differs.tsv holds besides.
pub fn trials() -> Vec<Trial> {
    let folder = folder("queries");
    let files = files(&folder, "jsonl");
    let mut trials: Vec<Trial> = files
        .iter()
        .map(|file| {
            let (file, folder) = (file.clone(), folder.clone());
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            Trial::test(format!("drawn/queries/{name}"), move || {
                roomy(move || check(&folder, &file))
            })
        })
        .collect();
    trials.push(Trial::test("drawn/queries/differs.tsv", move || {
        let known = files.iter().flat_map(|f| recorded(f)).map(|q| q.text);
        none_unknown(&folder, &known.collect())
    }));
    trials
}

/// A query, and the rows that Flink gave.
struct Recorded {
    text: String,
    rows: Vec<String>,
}

fn recorded(file: &Path) -> Vec<Recorded> {
    let lines = read(file).into_iter().map(|line| {
        let value: Value = serde_json::from_str(&line).unwrap();
        let text = value["query"].as_str().unwrap().to_string();
        let rows = value["rows"].as_array().unwrap();
        let rows = rows.iter().map(Value::to_string).collect();
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
        .map(|t| (t.to_string(), folder.join(format!("rows/{t}.jsonl"))))
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
        let flowline = match rows {
            Err(why) => why,
            Ok(rows) => match difference(&one.rows, &rows) {
                None => continue,
                Some(text) => text,
            },
        };
        found.push(Difference {
            asked: one.text.clone(),
            place: "*".to_string(),
            flink: format!("{} rows", one.rows.len()),
            flowline,
        });
    }
    let asked: BTreeSet<String> = recorded.into_iter().map(|q| q.text).collect();
    judge(folder, &asked, found)
}
