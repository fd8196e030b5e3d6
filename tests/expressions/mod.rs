//! Expressions by the thousand: each line of a file of tests/expressions is an expression, the type and the values over the
//! rows of table `r` that real Flink gave (tests/oracle/generate.py). A file is a trial; what differs must be in differs.tsv, and
//! what is in there must differ. Not judged are rows on which Flink itself breaks down and dates beyond year 9999. With DIFFS=out.tsv nothing fails and every difference is written to that file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use flowline::session::{Message, Session, SessionConfig};
use flowline::sql::SourceFile;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::harness::Script;
use judge::{Difference, VARIANT, files, folder, guarded, judge, none_unknown, read, roomy};

pub mod judge;

/// Expressions a SELECT.
const GROUP: usize = 40;
/// Rows at most that are tried alone because Flink fails on them.
const ERRORS_TRIED: usize = 3;

/// An expression and what Flink said.
struct Recorded {
    text: String,
    /// Its type, or why Flink refuses it.
    type_name: Result<String, String>,
    /// By row: `None` is NULL, an error is why Flink fails on it.
    values: Vec<Result<Option<String>, String>>,
}

type Values = BTreeMap<usize, Option<String>>;

/// A trial for each file, and one for what differs.tsv holds besides.
pub fn trials() -> Vec<Trial> {
    let folder = folder("expressions");
    let files = files(&folder, "tsv");
    let own = folder.clone();
    let mut trials: Vec<Trial> = files
        .iter()
        .map(|file| {
            let (file, folder) = (file.clone(), folder.clone());
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            Trial::test(format!("drawn/expressions/{name}"), move || {
                roomy(move || check(&folder, &file))
            })
        })
        .collect();
    trials.push(Trial::test("drawn/expressions/differs.tsv", move || {
        let known: BTreeSet<String> = files
            .iter()
            .flat_map(|f| read(f))
            .map(|line| line.split('\t').next().unwrap_or_default().to_string())
            .collect();
        none_unknown(&own, &known)
    }));
    trials
}

fn check(folder: &Path, file: &Path) -> Result<(), Failed> {
    let rows = read(&folder.join("rows.jsonl"));
    let recorded: Vec<Recorded> = read(file).iter().map(|l| parse(l, rows.len())).collect();
    let asked = recorded.iter().map(|r| r.text.clone()).collect();
    let bench = Bench::new(folder, rows);
    let mut found = Vec::new();
    let (fine, failing): (Vec<&Recorded>, Vec<&Recorded>) = recorded
        .iter()
        .partition(|r| r.type_name.is_ok() && r.values.iter().all(Result::is_ok));
    for group in fine.chunks(GROUP) {
        bench.group(group, &mut found);
    }
    for one in failing {
        bench.failing(one, &mut found);
    }
    judge(folder, &asked, found)
}

/// Reads a line: expression, type, values; see tests/oracle/generate.py.
fn parse(line: &str, rows: usize) -> Recorded {
    let mut fields = line.split('\t');
    let text = fields.next().unwrap_or_default().to_string();
    let type_name = cell(fields.next().unwrap_or_default()).map(Option::unwrap_or_default);
    let mut values: Vec<_> = fields.map(cell).collect();
    if values.len() == 1 {
        values = vec![values[0].clone(); rows];
    }
    assert!(
        values.len() == rows || type_name.is_err(),
        "{} values: {line}",
        values.len()
    );
    Recorded {
        text,
        type_name,
        values,
    }
}

fn cell(text: &str) -> Result<Option<String>, String> {
    if text == "\\N" {
        return Ok(None);
    }
    if let Some(why) = text.strip_prefix("\\E") {
        return Err(why.trim().to_string());
    }
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        out.push(match escaped {
            None => c,
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('x') => {
                let hex: String = chars.by_ref().take(2).collect();
                char::from(u8::from_str_radix(&hex, 16).unwrap())
            }
            Some(other) => other,
        });
    }
    Ok(Some(out))
}

/// Where expressions are evaluated.
struct Bench {
    runtime: Runtime,
    table: String,
    rows: Vec<String>,
    all_rows: PathBuf,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(folder: &Path, rows: Vec<String>) -> Self {
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            table: std::fs::read_to_string(folder.join("rows.sql")).unwrap(),
            rows,
            all_rows: folder.join("rows.jsonl"),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Expressions that Flink has an answer to for every row: together, and by halves where that fails.
    fn group(&self, group: &[&Recorded], found: &mut Vec<Difference>) {
        let all: Vec<usize> = (0..self.rows.len()).collect();
        let texts: Vec<&str> = group.iter().map(|r| r.text.as_str()).collect();
        let together = self.types(&texts).and_then(|types| {
            let values = self.values(&texts, &all)?;
            Ok((types, values))
        });
        if let Ok((types, values)) = together {
            for ((one, type_name), values) in group.iter().zip(&types).zip(&values) {
                compare(one, type_name, values, found);
            }
        } else if let [one] = group {
            self.alone(one, &all, found);
        } else {
            let (left, right) = group.split_at(group.len() / 2);
            self.group(left, found);
            self.group(right, found);
        }
    }

    /// One expression over the rows that Flink has an answer for.
    fn alone(&self, one: &Recorded, rows: &[usize], found: &mut Vec<Difference>) {
        match self.types(&[&one.text]) {
            Ok(types) => {
                self.rows(one, &types[0], rows, found);
            }
            Err(why) => {
                let flink = one.type_name.clone().unwrap_or_default();
                found.push(difference(one, "*", flink, format!("refused: {why}")));
            }
        }
    }

    /// The rows together, and by halves where that fails. Whether any failed.
    fn rows(
        &self,
        one: &Recorded,
        type_name: &str,
        rows: &[usize],
        found: &mut Vec<Difference>,
    ) -> bool {
        let why = match self.values(&[&one.text], rows) {
            Ok(values) => {
                compare(one, type_name, &values[0], found);
                return false;
            }
            Err(why) => why,
        };
        let place = if let [row] = rows {
            row.to_string()
        } else {
            let (left, right) = rows.split_at(rows.len() / 2);
            let left_failed = self.rows(one, type_name, left, found);
            if self.rows(one, type_name, right, found) || left_failed {
                return true;
            }
            format!("{rows:?} together")
        };
        let flink = shown(&one.values[rows[0]]);
        found.push(difference(one, &place, flink, format!("fails: {why}")));
        true
    }

    /// An expression that Flink refuses, or that fails on some rows.
    fn failing(&self, one: &Recorded, found: &mut Vec<Difference>) {
        if let Err(why) = &one.type_name {
            if is_crash(why) {
                return;
            }
            let types = self.types(&[&one.text]);
            let all: Vec<usize> = (0..self.rows.len()).collect();
            if let Ok(types) = types
                && self.values(&[&one.text], &all).is_ok()
            {
                let flink = format!("refused: {why}");
                found.push(difference(one, "*", flink, format!("runs: {}", types[0])));
            }
            return;
        }
        let (fine, bad): (Vec<usize>, Vec<usize>) =
            (0..self.rows.len()).partition(|r| one.values[*r].is_ok());
        // Where every row fails, refusing the expression is as good.
        if !fine.is_empty() {
            self.alone(one, &fine, found);
        }
        let meant = |row: &usize| matches!(&one.values[*row], Err(why) if !is_crash(why));
        for row in bad.into_iter().filter(meant).take(ERRORS_TRIED) {
            if let Ok(values) = self.values(&[&one.text], &[row]) {
                let given = Ok(values[0].get(&row).cloned().flatten());
                found.push(difference(
                    one,
                    &row.to_string(),
                    shown(&one.values[row]),
                    shown(&given),
                ));
            }
        }
    }

    /// The types of expressions, as DESCRIBE has them.
    fn types(&self, texts: &[&str]) -> Result<Vec<String>, String> {
        let columns: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(i, e)| format!("({e}) AS v{i}"))
            .collect();
        let script = format!(
            "{};\nCREATE VIEW e AS SELECT {} FROM r;\nDESCRIBE e;\n",
            self.table,
            columns.join(", ")
        );
        let described = guarded(|| {
            let mut session = Session::new(SessionConfig {
                sources: BTreeMap::from([("r".to_string(), self.all_rows.clone())]),
                ..SessionConfig::default()
            });
            session.load(&SourceFile::new("e.sql", &script))
        })?;
        let rows = described.into_iter().find_map(|m| match m {
            Message::Rows(_, rows) => Some(rows),
            _ => None,
        });
        let rows = rows.ok_or("DESCRIBE says nothing")?;
        Ok(rows.into_iter().map(|mut r| r.swap_remove(1)).collect())
    }

    /// The values of expressions over some rows, as text.
    fn values(&self, texts: &[&str], rows: &[usize]) -> Result<Vec<Values>, String> {
        let columns: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(i, e)| format!("CAST(({e}) AS STRING) AS v{i}"))
            .collect();
        let input = self.dir.path().join("r.jsonl");
        let lines = rows.iter().map(|r| self.rows[*r].clone() + "\n");
        std::fs::write(&input, lines.collect::<String>()).unwrap();
        let script = Script {
            text: format!(
                "{};\nSELECT id, {} FROM r;\n",
                self.table,
                columns.join(", ")
            ),
            settings: Vec::new(),
            sources: BTreeMap::from([("r".to_string(), input)]),
        };
        let got = guarded(|| self.runtime.block_on(script.run(VARIANT)))?;
        let mut out = vec![Values::new(); texts.len()];
        for line in got.get("select_1").map_or(&[][..], Vec::as_slice) {
            let row: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
            let id = usize::try_from(row["id"].as_u64().ok_or("no id")?).unwrap();
            for (i, values) in out.iter_mut().enumerate() {
                values.insert(id, row[format!("v{i}")].as_str().map(str::to_string));
            }
        }
        match out.iter().find(|values| values.len() != rows.len()) {
            Some(values) => Err(format!("{} rows of {}", values.len(), rows.len())),
            None => Ok(out),
        }
    }
}

/// Where Flink itself breaks down any answer will do.
fn is_crash(why: &str) -> bool {
    const CRASHES: &[&str] = &[
        "NullPointerException",
        "ClassCastException",
        "CodeGenException",
        "CompileException",
        "AssertionError",
        "IllegalStateException",
        "IndexOutOfBoundsException",
        "StringIndexOutOfBoundsException",
        "ArrayIndexOutOfBoundsException",
        "MatchError",
        "UnsupportedOperationException",
    ];
    CRASHES.iter().any(|c| why.split(':').next() == Some(c))
}

/// A date beyond the years 1 to 9999, which Flink prints as some other date.
fn is_beyond(type_name: &str, text: &str) -> bool {
    (type_name.starts_with("DATE") || type_name.starts_with("TIMESTAMP"))
        && text.find('-').is_none_or(|at| at != 4)
}

fn difference(
    one: &Recorded,
    place: &str,
    flink: impl Into<String>,
    flowline: impl Into<String>,
) -> Difference {
    Difference {
        asked: one.text.clone(),
        place: place.to_string(),
        flink: flink.into(),
        flowline: flowline.into(),
    }
}

fn shown(value: &Result<Option<String>, String>) -> String {
    match value {
        Ok(Some(text)) => format!("'{text}'"),
        Ok(None) => "NULL".to_string(),
        Err(why) => format!("fails: {why}"),
    }
}

fn compare(one: &Recorded, type_name: &str, values: &Values, found: &mut Vec<Difference>) {
    let flink = one.type_name.as_deref().unwrap_or_default();
    let mut told = found.iter().rev().take_while(|d| d.asked == one.text);
    if plain_type(flink) != plain_type(type_name) && !told.any(|d| d.place == "type") {
        found.push(difference(one, "type", flink, type_name));
    }
    for (row, value) in values {
        let expected = &one.values[*row];
        let equal = match (expected, value) {
            (Ok(Some(a)), Some(b)) => same(flink, a, b) || is_beyond(flink, b),
            (Ok(None), None) => true,
            _ => false,
        };
        if !equal {
            let given = shown(&Ok(value.clone()));
            found.push(difference(one, &row.to_string(), shown(expected), given));
        }
    }
}

/// A type as far as it is compared: with TYPES=exact all of it but NOT NULL, else without the lengths of text and bytes.
fn plain_type(name: &str) -> String {
    let name = name.replace(" NOT NULL", "");
    if std::env::var("TYPES").is_ok_and(|t| t == "exact") {
        return name;
    }
    let lengths = regex::Regex::new(r"\b(VARCHAR|CHAR|VARBINARY|BINARY|TIME)(\(\d+\))?").unwrap();
    lengths
        .replace_all(&name, |found: &regex::Captures<'_>| match &found[1] {
            "TIME" => "TIME",
            "CHAR" | "VARCHAR" => "STRING",
            _ => "BYTES",
        })
        .into_owned()
}

/// Values as text: floating point to a few units in the last place, maps in any order.
fn same(type_name: &str, a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    if type_name.starts_with("DOUBLE") || type_name.starts_with("FLOAT") {
        let near = if type_name.starts_with('F') {
            1e-6
        } else {
            1e-14
        };
        let as_written = a.contains('E') == b.contains('E');
        return match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(x), Ok(y)) if as_written => (x - y).abs() <= near * x.abs().max(y.abs()),
            _ => false,
        };
    }
    if type_name.starts_with("MAP<") {
        let entries = |text: &str| {
            let inner = text.trim_start_matches('{').trim_end_matches('}');
            inner
                .split(", ")
                .map(str::to_string)
                .collect::<BTreeSet<_>>()
        };
        return entries(a) == entries(b);
    }
    false
}
