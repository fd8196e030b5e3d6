//! Files as a person meets them: odd ends, broken lines, missing folders; and the numbered pipeline over a file.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

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

/// All files below a folder that readers see, and what is in them.
fn visible(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            let below = visible(&entry.path()).into_iter();
            found.extend(below.map(|(file, content)| (format!("{name}/{file}"), content)));
        } else if !name.starts_with(['.', '_']) {
            // It may be published, but it does not go away.
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    found
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

/// Rows to Parquet in folders, and out of them again; a marker says that a folder is complete.
#[test]
fn partitions_of_parquet_there_and_back() {
    let case = Case::new();
    let events = case.file(
        "events.json",
        b"{\"id\":1,\"dt\":\"2026-01-01\",\"h\":10,\"tags\":[\"a\",null]}\n\
          {\"id\":2,\"dt\":\"2026-01-01\",\"h\":11}\n\
          {\"id\":3,\"dt\":\"2026-01-01\",\"h\":10,\"tags\":[]}\n\
          {\"id\":4}\n",
    );
    let out = case.dir.path().join("out");
    let tables = format!(
        "CREATE TABLE events (id BIGINT, dt DATE, h INT, tags ARRAY<STRING>) WITH (
           'connector' = 'filesystem', 'path' = '{}', 'format' = 'json');
         CREATE TABLE archive (h INT, id BIGINT, tags ARRAY<STRING>, dt DATE) PARTITIONED BY (dt, h) WITH (
           'connector' = 'filesystem', 'path' = '{}', 'format' = 'parquet',
           'sink.partition-commit.policy.kind' = 'success-file');",
        events.display(),
        out.display()
    );
    let run = |sql: &str| {
        let script = case.file("job.sql", format!("{tables}{sql}").as_bytes());
        let output = flowline(&["run", &script.to_string_lossy(), "--output", "jsonl"]);
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut rows: Vec<String> = text.lines().map(str::to_string).collect();
        rows.sort();
        rows
    };
    run("INSERT INTO archive SELECT h, id, tags, dt FROM events;");
    let folders: Vec<String> = visible(&out)
        .into_keys()
        .map(|file| file.rsplit_once('/').unwrap().0.to_string())
        .collect();
    assert_eq!(
        folders,
        [
            "dt=2026-01-01/h=10",
            "dt=2026-01-01/h=11",
            "dt=__DEFAULT_PARTITION__/h=__DEFAULT_PARTITION__"
        ]
    );
    assert!(
        folders
            .iter()
            .all(|folder| out.join(folder).join("_SUCCESS").exists())
    );
    assert_eq!(
        run("SELECT id, dt, h, tags FROM archive WHERE h = 10 OR h IS NULL;"),
        [
            r#"{"op":"+I","row":{"id":1,"dt":"2026-01-01","h":10,"tags":["a",null]}}"#,
            r#"{"op":"+I","row":{"id":3,"dt":"2026-01-01","h":10,"tags":[]}}"#,
            r#"{"op":"+I","row":{"id":4,"dt":null,"h":null,"tags":null}}"#,
        ]
    );
}

/// Killed over and over, a job with checkpoints writes each row once, and readers never see half a file.
#[test]
fn a_job_killed_over_and_over_writes_each_row_once() {
    const KILLS: usize = 5;
    const ROWS: usize = 400;
    let case = Case::new();
    let folder = |name: &str| case.dir.path().join(name);
    std::fs::create_dir(folder("in")).unwrap();
    let sql = format!(
        "SET 'execution.checkpointing.interval' = '100 ms';
         SET 'execution.checkpointing.dir' = '{}';
         SET 'pipeline.name' = 'killed';
         CREATE TABLE i (id INT, k STRING) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json',
           'source.monitor-interval' = '20 ms');
         CREATE TABLE o (id INT, k STRING) PARTITIONED BY (k) WITH ('connector' = 'filesystem', 'path' = '{}',
           'format' = 'csv', 'sink.rolling-policy.file-size' = '300b', 'sink.rolling-policy.rollover-interval' = '200 ms');
         INSERT INTO o SELECT id, k FROM i;",
        folder("checkpoints").display(),
        folder("in").display(),
        folder("out").display()
    );
    let script = case.file("job.sql", sql.as_bytes());
    let log = std::fs::File::create(folder("log")).unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowline"));
        command.args(["run", &script.to_string_lossy(), "--parallelism", "2"]);
        command
            .stdout(Stdio::null())
            .stderr(log.try_clone().unwrap());
        command.spawn().unwrap()
    };
    let seen = || {
        let files = visible(&folder("out"));
        let mut rows: Vec<usize> = Vec::new();
        for (name, content) in files {
            let text = String::from_utf8(content).unwrap();
            assert!(text.ends_with('\n'), "{name} is cut off");
            rows.extend(text.lines().map(|line| line.parse::<usize>().unwrap()));
        }
        rows.sort_unstable();
        rows
    };
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..=KILLS {
        let rows: String = (round * ROWS..(round + 1) * ROWS)
            .map(|i| format!("{{\"id\":{i},\"k\":\"{}\"}}\n", i % 5))
            .collect();
        // As a whole, as files that are read while they are written have to come.
        std::fs::rename(
            case.file("next", rows.as_bytes()),
            folder(&format!("in/{round}.json")),
        )
        .unwrap();
        let mut job = start();
        if round < KILLS {
            std::thread::sleep(Duration::from_millis(random.u64(300..1500)));
        } else {
            for _ in 0..1200 {
                if seen().len() == (KILLS + 1) * ROWS {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        job.kill().unwrap();
        job.wait().unwrap();
        let mut rows = seen();
        let all = rows.len();
        rows.dedup();
        assert_eq!(rows.len(), all, "a row is there twice");
    }
    let log = std::fs::read_to_string(folder("log")).unwrap();
    assert_eq!(seen(), (0..(KILLS + 1) * ROWS).collect::<Vec<_>>(), "{log}");
}

/// A limit of the system on the size of files stands for a full disk: it strikes at the same call.
#[test]
fn what_cannot_be_written_is_named_and_nothing_is_half_there() {
    let case = Case::new();
    let rows: String = (0..20_000).map(|i| format!("{{\"id\":{i}}}\n")).collect();
    let input = case.file("in.json", rows.as_bytes());
    for format in ["json", "parquet"] {
        let out = case.dir.path().join(format);
        let sql = format!(
            "CREATE TABLE i (id INT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json');
             CREATE TABLE o (id INT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = '{format}');
             INSERT INTO o SELECT id FROM i;",
            input.display(),
            out.display()
        );
        let script = case.file("job.sql", sql.as_bytes());
        let limited = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" run \"$1\""])
            .args([env!("CARGO_BIN_EXE_flowline"), &script.to_string_lossy()])
            .output()
            .unwrap();
        assert_eq!(limited.status.code(), Some(3), "{}", said(&limited));
        let place = format!("{}/.part-", out.display());
        assert!(
            said(&limited).contains(&place)
                && said(&limited).contains("larger than the system allows"),
            "{}",
            said(&limited)
        );
        assert_eq!(visible(&out).len(), 0);
    }
}

#[test]
fn bad_and_late_rows_are_tables() {
    let case = Case::new();
    let lines = [
        r#"{"id":1,"ts":"2026-01-01 00:00:01"}"#,
        r#"{"id":"x","ts":"2026-01-01 00:00:02"}"#,
        "no row",
        r#"{"id":4,"ts":"2026-01-01 00:01:40"}"#,
        r#"{"id":5,"ts":"2026-01-01 00:00:03"}"#,
    ];
    let input = case.file("t.jsonl", lines.join("\n").as_bytes());
    let declared = |options: &str| {
        format!(
            "CREATE TABLE t (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'filesystem',
               'path' = '{}', 'format' = 'json'{options});
             SELECT window_start, SUM(id) AS s FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)
               GROUP BY window_start, window_end;",
            input.display()
        )
    };
    let run = |sql: &str| {
        let script = case.file("job.sql", sql.as_bytes());
        let output = flowline(&["run", &script.to_string_lossy(), "--output", "jsonl"]);
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut rows: Vec<String> = text.lines().map(str::to_string).collect();
        rows.sort();
        rows
    };
    let asked = declared("")
        + "SELECT source_table, source_position, CAST(payload AS STRING) AS p, field FROM flowline.bad_rows;
           SELECT `row`, `watermark` FROM flowline.late_rows;";
    assert_eq!(
        run(&asked),
        [
            r#"{"from":"select_1","op":"+I","row":{"window_start":"2026-01-01 00:00:00","s":1}}"#,
            r#"{"from":"select_1","op":"+I","row":{"window_start":"2026-01-01 00:01:00","s":4}}"#,
            r#"{"from":"select_2","op":"+I","row":{"source_table":"t","source_position":2,"p":"{\"id\":\"x\",\"ts\":\"2026-01-01 00:00:02\"}","field":"id"}}"#,
            r#"{"from":"select_2","op":"+I","row":{"source_table":"t","source_position":3,"p":"no row","field":null}}"#,
            r#"{"from":"select_3","op":"+I","row":{"row":"{\"id\":5,\"window_start\":\"2026-01-01T00:00:00\",\"window_end\":\"2026-01-01T00:01:00\"}","watermark":"2026-01-01 00:01:40"}}"#,
        ]
    );
    let folder = case.dir.path().join("bad");
    let kept = declared(&format!(", 'bad-rows.path' = '{}'", folder.display()));
    assert_eq!(run(&kept).len(), 2);
    let written: Vec<u8> = visible(&folder).into_values().flatten().collect();
    let written = String::from_utf8(written).unwrap();
    assert_eq!(written.lines().count(), 2, "{written}");
    assert!(written.contains(r#""payload":"bm8gcm93""#), "{written}");
}

/// Files that were read say nothing of time any more; new ones may never come.
#[test]
fn a_watched_folder_does_not_hold_others_for_ever() {
    let case = Case::new();
    let table = |name: &str, rows: &[u8]| {
        let folder = case.dir.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("1.jsonl"), rows).unwrap();
        format!(
            "CREATE TABLE {name} (ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'filesystem', 'path' = '{}',
               'format' = 'json', 'source.monitor-interval' = '100 ms');",
            folder.display()
        )
    };
    let sql = format!(
        "{} {} SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE ab, DESCRIPTOR(ts), INTERVAL '10' SECOND))
         GROUP BY window_start, window_end;",
        table("a", b"{\"ts\":\"2026-01-01 00:00:01\"}\n"),
        table("b", b"{\"ts\":\"2026-01-01 00:00:02\"}\n{\"ts\":\"2026-01-01 00:00:15\"}\n"),
    );
    let sql = sql.replace(
        " SELECT window_start",
        " CREATE VIEW ab AS SELECT ts FROM a UNION ALL SELECT ts FROM b; SELECT window_start",
    );
    let file = case.file("watched.sql", sql.as_bytes());
    let mut job = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .arg("run")
        .arg(file)
        .args(["--idle-timeout", "300 ms", "--output", "jsonl"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let (line, seen) = std::sync::mpsc::sync_channel(1);
    let stdout = job.stdout.take().unwrap();
    std::thread::spawn(move || {
        use std::io::BufRead as _;
        let mut text = String::new();
        let _ = std::io::BufReader::new(stdout).read_line(&mut text);
        let _ = line.send(text);
    });
    let text = seen.recv_timeout(std::time::Duration::from_secs(20));
    job.kill().unwrap();
    job.wait().unwrap();
    let text = text.expect("a window is over");
    assert!(text.contains("\"n\":2"), "{text}");
}

/// A pipe that nobody writes to is as slow as a disk can be.
#[cfg(unix)]
#[test]
fn a_file_that_does_not_come_holds_up_nothing_else() {
    let case = Case::new();
    let pipe = case.dir.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let there = case.file("there.jsonl", b"{\"id\":1}\n");
    let table = |name: &str, path: &Path| {
        format!(
            "CREATE TABLE {name} (id INT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json');",
            path.display()
        )
    };
    let sql = format!(
        "{} {} SELECT id FROM slow; SELECT id FROM there;",
        table("slow", &pipe),
        table("there", &there)
    );
    let script = case.file("job.sql", sql.as_bytes());
    let start = || {
        let mut job = Command::new(env!("CARGO_BIN_EXE_flowline"))
            .arg("run")
            .arg(&script)
            .args(["--output", "jsonl"])
            .env("TOKIO_WORKER_THREADS", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (line, lines) = std::sync::mpsc::channel();
        let stdout = job.stdout.take().unwrap();
        std::thread::spawn(move || {
            use std::io::BufRead as _;
            for text in std::io::BufReader::new(stdout).lines() {
                let _ = line.send(text.unwrap());
            }
        });
        (job, lines)
    };
    let minute = Duration::from_secs(60);
    let (mut job, lines) = start();
    let first = lines.recv_timeout(minute);
    let ended = first.is_ok().then(|| {
        let begun = std::time::Instant::now();
        let asked = Command::new("kill").arg(job.id().to_string()).status();
        assert!(asked.unwrap().success());
        (job.wait().unwrap(), begun.elapsed())
    });
    job.kill().unwrap();
    job.wait().unwrap();
    assert!(
        first
            .expect("the file that is there is read")
            .contains("select_2")
    );
    let (status, took) = ended.unwrap();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    // Once somebody writes to it, it is a file like any other.
    let (mut job, lines) = start();
    std::fs::write(&pipe, "{\"id\":7}\n{\"id\":8}\n").unwrap();
    let mut all: Vec<String> = (0..3)
        .map(|_| lines.recv_timeout(minute).unwrap())
        .collect();
    all.sort();
    assert!(
        all[0].contains("\"id\":7") && all[1].contains("\"id\":8"),
        "{all:?}"
    );
    assert!(job.wait().unwrap().success());
}

/// A job that writes files with each checkpoint, of which it takes one when it is asked.
struct Writing {
    case: Case,
    script: PathBuf,
}

impl Writing {
    fn new(format: &str) -> Self {
        let case = Case::new();
        let (input, out) = (case.dir.path().join("in"), case.dir.path().join("out"));
        std::fs::create_dir(&input).unwrap();
        let sql = format!(
            "SET 'execution.checkpointing.interval' = '1 h';
             SET 'execution.checkpointing.dir' = '{}';
             SET 'pipeline.name' = 'job';
             CREATE TABLE i (id INT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json',
               'source.monitor-interval' = '20 ms');
             CREATE TABLE o (id INT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = '{format}',
               'sink.rolling-policy.rollover-interval' = '1 ms');
             INSERT INTO o SELECT id FROM i;",
            case.dir.path().join("checkpoints").display(),
            input.display(),
            out.display()
        );
        let script = case.file("job.sql", sql.as_bytes());
        Self { case, script }
    }

    fn input(&self, number: u32) {
        let row = format!("{{\"id\":{number}}}\n");
        // Whole at once: it is being watched for.
        let hidden = self.case.file("hidden", row.as_bytes());
        let path = self.case.dir.path().join(format!("in/{number}.jsonl"));
        std::fs::rename(hidden, path).unwrap();
    }

    fn files(&self) -> Vec<String> {
        let out = self.case.dir.path().join("out");
        visible(&out).into_keys().collect()
    }

    fn checkpoints(&self, arguments: &[&str]) -> Output {
        let dir = self.case.dir.path().join("checkpoints");
        let dir = dir.display().to_string();
        flowline(&[&["checkpoints"], arguments, &["--checkpoint-dir", &dir]].concat())
    }

    /// Starts the job, has it take a checkpoint of what is there now, and kills it; returns the checkpoint's number.
    fn take(&self, arguments: &[&str]) -> String {
        let before = self.files().len();
        let mut job = Command::new(env!("CARGO_BIN_EXE_flowline"))
            .arg("run")
            .arg(&self.script)
            .args(arguments)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        let mut taken = String::new();
        while self.files().len() == before && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(100));
            taken = said(&self.checkpoints(&["take", "job"]));
        }
        job.kill().unwrap();
        job.wait().unwrap();
        assert!(self.files().len() > before, "{taken}");
        taken.split(' ').nth(1).unwrap().to_string()
    }

    fn refused(&self) -> String {
        let output = flowline(&["run", &self.script.to_string_lossy()]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        said(&output)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Whoever removes the newest checkpoints has its files twice, unless somebody says so.
#[test]
fn files_of_checkpoints_that_are_gone_are_not_written_again_in_silence() {
    for format in ["json", "parquet"] {
        let job = Writing::new(format);
        job.input(1);
        let first: u64 = job.take(&[]).parse().unwrap();
        let old = job.files();
        job.input(2);
        let last = job.take(&[]);
        let new: Vec<String> = job
            .files()
            .into_iter()
            .filter(|f| !old.contains(f))
            .collect();
        assert_eq!(new.len(), 1);
        for epoch in first + 1..=last.parse().unwrap() {
            job.checkpoints(&["rm", "job", &epoch.to_string()]);
        }
        for _ in 0..2 {
            let said = job.refused();
            assert!(said.contains("of job 'job' in"), "{said}");
            assert!(
                said.contains(&format!("is {first}, and files of later epochs")),
                "{said}"
            );
            assert!(said.contains(&new[0]) && !said.contains(&old[0]), "{said}");
            assert!(
                said.contains("remove these files") && said.contains("--fresh"),
                "{said}"
            );
        }
        std::fs::remove_file(job.case.dir.path().join("out").join(&new[0])).unwrap();
        job.take(&[]);
        assert_eq!(job.files().len(), 2);
        // Without any checkpoint all of them are of later ones, and who begins anew has later ones still.
        std::fs::remove_dir_all(job.case.dir.path().join("checkpoints")).unwrap();
        assert!(job.refused().contains("job 'job' has no whole checkpoint"));
        job.take(&["--fresh"]);
        job.input(3);
        job.take(&[]);
    }
}
