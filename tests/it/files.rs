//! Files as a person meets them: odd ends, broken lines, missing folders; and the numbered pipeline over a file.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TABLE: &str =
    "CREATE TABLE t (id INT, s STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'filesystem', 'path' = '$path', 'format' = 'json'$options);
SELECT id, CHAR_LENGTH(s) AS n FROM t;";

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn run(&self, path: &Path, options: &str) -> Output {
        let sql = TABLE
            .replace("$path", &path.to_string_lossy())
            .replace("$options", options);
        let script = self.file("job.sql", sql.as_bytes());
        flowline(&["run", &script.to_string_lossy(), "--output", "jsonl"])
    }

    fn rows(&self, bytes: &[u8], options: &str) -> Vec<String> {
        let output = self.run(&self.file("t.jsonl", bytes), options);
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_string).collect()
    }

    fn fails(&self, bytes: &[u8]) -> String {
        let output = self.run(&self.file("t.jsonl", bytes), "");
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        said(&output)
    }
}

fn flowline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn row(id: usize, n: usize) -> String {
    format!("{{\"op\":\"+I\",\"row\":{{\"id\":{id},\"n\":{n}}}}}")
}

#[test]
fn bom_crlf_blank_lines_and_a_last_line_without_end() {
    let text = "\u{feff}{\"id\":1,\"s\":\"a\",\"ts\":\"2025-01-01 00:00:00\"}\r\n\r\n\
                {\"id\":2,\"s\":\"bc\",\"ts\":\"2025-01-01 00:00:01\"}";
    let case = Case::new();
    assert_eq!(case.rows(text.as_bytes(), ""), [row(1, 1), row(2, 2)]);
    assert_eq!(case.rows(b"", ""), Vec::<String>::new());
}

#[test]
fn a_line_of_10_megabytes() {
    let line = format!(
        "{{\"id\":1,\"s\":\"{}\",\"ts\":\"2025-01-01 00:00:00\"}}\n",
        "x".repeat(10_000_000)
    );
    assert_eq!(Case::new().rows(line.as_bytes(), ""), [row(1, 10_000_000)]);
}

#[test]
fn a_bad_row_is_named_by_file_line_field_and_reason() {
    let case = Case::new();
    let good = "{\"id\":1,\"s\":\"a\",\"ts\":\"2025-01-01 00:00:00\"}\n";
    let with = |line: &[u8]| [good.as_bytes(), line].concat();
    for (line, expected) in [
        (
            b"{\"id\":2,\"s\":\"\xff\",\"ts\":\"2025-01-01 00:00:00\"}\n".as_slice(),
            "t.jsonl:2: not valid UTF-8",
        ),
        (
            b"{\"id\":\"two\",\"s\":\"a\",\"ts\":\"2025-01-01 00:00:00\"}\n",
            "t.jsonl:2: field 'id':",
        ),
        (
            b"{\"id\":2,\"s\":\"a\",\"ts\":\"10000-01-01 00:00:00\"}\n",
            "t.jsonl:2: field 'ts':",
        ),
        (
            b"{\"id\":2,\"s\":\"a\",\"ts\":\"2025",
            "t.jsonl:2: not valid JSON",
        ),
        (b"{\"id\":2,\"s\":\"a\"}\n", "the event time 'ts' is NULL"),
    ] {
        let text = case.fails(&with(line));
        assert!(text.contains(expected), "{expected}:\n{text}");
    }
    let skipped = case.rows(
        &with(b"{\"id\":2,\"s\"\n"),
        ", 'json.ignore-parse-errors' = 'true'",
    );
    assert_eq!(skipped, [row(1, 1)]);
}

#[test]
fn what_is_missing_or_unknown_is_named() {
    let case = Case::new();
    let missing = case.run(&case.dir.path().join("none.jsonl"), "");
    assert_eq!(missing.status.code(), Some(3));
    assert!(said(&missing).contains("none.jsonl: there is no such file or folder"));
    let file = case.file("t.jsonl", b"");
    let unknown = case.run(&file, ", 'json.ignore-parse-error' = 'true'");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        said(&unknown).contains("did you mean 'json.ignore-parse-errors'?"),
        "{}",
        said(&unknown)
    );
}

/// The README's words: events to a file, the folder over it, nothing declared is connected to; the same at parallelism 3.
#[test]
fn the_numbered_pipeline_over_a_file() {
    let case = Case::new();
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let events = case.dir.path().join("events.jsonl");
    let made = flowline(&[
        "generate",
        "--rows",
        "5000",
        "--seed",
        "3",
        "--to",
        &events.to_string_lossy(),
    ]);
    assert!(made.status.success(), "{}", said(&made));
    let mut finals = Vec::new();
    for parallelism in ["1", "3"] {
        let out = case.dir.path().join(format!("out-{parallelism}"));
        let source = format!("cloudevents={}", events.display());
        let output = flowline(&[
            "run",
            &sql.to_string_lossy(),
            "--source",
            &source,
            "--capture",
            &out.to_string_lossy(),
            "--parallelism",
            parallelism,
        ]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("skipped"), "{}", said(&output));
        let read =
            |name: &str| std::fs::read_to_string(out.join(format!("{name}.final.jsonl"))).unwrap();
        finals.push([read("events_aggregated_5min"), read("system_health_5min")]);
    }
    assert!(finals[0].iter().all(|text| text.lines().count() > 2));
    assert_eq!(finals[0], finals[1]);
}
