//! Checkpoints in an object store that speaks S3, and is not there for a while.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::broker::{Case, TABLE, eventually};
use crate::recovery::words;

/// S3Proxy over a folder; it ends with this value.
struct Server {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    url: String,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/s3/server.py");
        let mut process = Command::new("python3")
            .arg(script)
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut url = String::new();
        stdout.read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "S3Proxy does not start: {url}");
        Self {
            process,
            stdin,
            stdout,
            url: url.trim().to_string(),
        }
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{command}").unwrap();
        let mut done = String::new();
        self.stdout.read_line(&mut done).unwrap();
        assert_eq!(done.trim(), "done");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}

#[test]
fn checkpoints_in_s3() {
    let case = Case::new("s3", 1);
    let out = Case::new("s3_out", 1).topic.clone();
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path());
    let sql = format!(
        "SET 'execution.checkpointing.interval' = '300 ms';
         SET 'execution.checkpointing.dir' = 's3://bucket/jobs';
         SET 's3.endpoint' = '{}'; SET 's3.access-key' = 'key'; SET 's3.secret-key' = 'secret';
         SET 'pipeline.name' = 'in-s3';
         {TABLE}, 'scan.startup.mode' = 'earliest-offset');
         CREATE TABLE o (b STRING, n BIGINT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = '{out}',
           'key.format' = 'json', 'value.format' = 'json', 'properties.bootstrap.servers' = 'elsewhere:1',
           'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{out}');
         INSERT INTO o SELECT b, COUNT(*) FROM t GROUP BY b;",
        server.url
    );
    let start = || case.start(&sql, &[]);
    let total = || {
        let last = case.consume(&out).pop().map(|r| r["value"]["n"].clone());
        last.and_then(|n| n.as_i64()).unwrap_or(0)
    };
    let row = || json!({"value": {"a": 1, "b": "x"}});
    case.produce(&[row(), row()]);
    let mut job = start();
    eventually("rows are counted", 180, || total() == 2);
    // Nothing is committed while checkpoints cannot be stored, and nothing is lost by it.
    server.tell("stop");
    case.produce(&[row()]);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(total(), 2);
    server.tell("start");
    eventually("it goes on when the store is back", 180, || total() == 3);
    job.kill().unwrap();
    job.wait().unwrap();
    case.produce(&[row()]);
    let mut job = start();
    eventually("it goes on after a kill", 180, || total() == 4);
    let flowline = |arguments: &[&str]| asked(&server.url, arguments);
    let stopped = flowline(&["stop", "in-s3"]);
    assert!(stopped.status.success(), "{}", words(&stopped.stderr));
    assert!(job.wait().unwrap().success());
    assert_eq!(flowline(&["checkpoints", "ls"]).stdout, b"in-s3\n");
    let listed = flowline(&["checkpoints", "ls", "in-s3"]).stdout;
    assert_eq!(String::from_utf8_lossy(&listed).lines().count(), 3);
    assert!(
        flowline(&["checkpoints", "verify", "in-s3"])
            .status
            .success()
    );
    // Nobody is there any more who could see what is asked.
    let begun = Instant::now();
    let asked = flowline(&["stop", "in-s3"]);
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert_eq!(asked.status.code(), Some(3));
    let said = words(&asked.stderr);
    let what = "job 'in-s3' has not seen what it is asked within 10 s help: does it run";
    assert!(said.contains(what), "{said}");
}

/// A verb about checkpoints in the store at `url`.
fn asked(url: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(arguments)
        .args(["--checkpoint-dir", "s3://bucket/jobs"])
        .env("AWS_ENDPOINT", url)
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "us-east-1")
        .output()
        .unwrap()
}

#[test]
fn a_store_that_hangs_keeps_nobody_who_asks() {
    // It takes connections, and answers nothing.
    let store = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", store.local_addr().unwrap());
    for verb in [&["stop", "job"][..], &["checkpoints", "take", "job"]] {
        let begun = Instant::now();
        let output = asked(&url, &[verb, &["--timeout", "2 s"]].concat());
        assert!(
            begun.elapsed() < Duration::from_secs(6),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(output.status.code(), Some(3));
        let said = words(&output.stderr);
        let what = "has not seen what it is asked within 2 s, and the request cannot be taken back";
        assert!(said.contains(what), "{said}");
    }
}
