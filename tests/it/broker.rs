//! A broker of Apache's for tests, topics in it, and another client that writes and reads them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The test broker: started once, it ends with this process.
pub struct Broker {
    pub dir: PathBuf,
    pub bootstrap: String,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/kafka")
        .join(name)
}

fn started(dir: &Path, command: &str) -> String {
    let parent = std::process::id().to_string();
    let output = Command::new("python3")
        .arg(script("broker.py"))
        .args([command, &dir.display().to_string(), "--parent", &parent])
        .output()
        .expect("python3 runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

impl Broker {
    /// The one that tests share, or the one that `FLOWLINE_TEST_KAFKA` names.
    fn shared() -> &'static Self {
        static BROKER: OnceLock<Broker> = OnceLock::new();
        BROKER.get_or_init(|| match std::env::var("FLOWLINE_TEST_KAFKA") {
            Ok(bootstrap) => Self {
                dir: PathBuf::new(),
                bootstrap,
            },
            Err(_) => Self::start(),
        })
    }

    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap().keep();
        let bootstrap = started(&dir, "start");
        Self { dir, bootstrap }
    }

    pub fn command(&self, command: &str) {
        started(&self.dir, command);
    }
}

/// The other client: confluent-kafka for Python, in a virtual environment of its own.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let home = PathBuf::from(std::env::var("HOME").unwrap()).join(".cache/flowline/confluent");
        let python = home.join("bin/python");
        if !python.exists() {
            let run = |program: &Path, arguments: &[&str]| {
                let output = Command::new(program).args(arguments).output().unwrap();
                assert!(
                    output.status.success(),
                    "{}",
                    String::from_utf8_lossy(&output.stderr)
                );
            };
            let partial = home.with_extension(std::process::id().to_string());
            run(
                Path::new("python3"),
                &["-m", "venv", &partial.display().to_string()],
            );
            run(
                &partial.join("bin/python"),
                &["-m", "pip", "install", "-q", "confluent-kafka==2.*"],
            );
            // Another process may have been faster.
            if std::fs::rename(&partial, &home).is_err() {
                let _ = std::fs::remove_dir_all(&partial);
            }
        }
        python
    })
}

/// Runs one command of the other client.
pub fn client(bootstrap: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(python())
        .arg(script("client.py"))
        .arg(bootstrap)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A topic of its own and a folder for files.
pub struct Case {
    pub bootstrap: String,
    pub topic: String,
    pub dir: tempfile::TempDir,
}

impl Case {
    pub fn new(name: &str, partitions: u32) -> Self {
        Self::on(Broker::shared(), name, partitions)
    }

    pub fn on(broker: &Broker, name: &str, partitions: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let unique = dir
            .path()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replace(".tmp", "");
        let case = Self {
            bootstrap: broker.bootstrap.clone(),
            topic: format!("{name}_{unique}"),
            dir,
        };
        client(
            &case.bootstrap,
            &["create", &case.topic, &partitions.to_string()],
            "",
        );
        case
    }

    /// The address of the broker.
    pub fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }

    /// Produces records: objects with `key`, `value`, `timestamp`, `partition`, `headers`, all optional.
    pub fn produce(&self, records: &[Value]) {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        client(
            &self.bootstrap,
            &["produce", &self.topic],
            &lines.join("\n"),
        );
    }

    /// Produces records in a transaction that is aborted.
    pub fn abort(&self, records: &[Value]) {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        client(
            &self.bootstrap,
            &["aborted", &self.topic],
            &lines.join("\n"),
        );
    }

    /// Removes the records before an offset of each partition, as retention does.
    pub fn trim(&self, offset: i64) {
        client(
            &self.bootstrap,
            &["trim", &self.topic, &offset.to_string()],
            "",
        );
    }

    /// Shuts out whoever writes with a transactional id, again and again for some seconds.
    pub fn fence(&self, id: &str, seconds: u32) -> Child {
        Command::new(python())
            .arg(script("client.py"))
            .args([&self.bootstrap, "fence", id, &seconds.to_string()])
            .spawn()
            .unwrap()
    }

    /// All records of a topic, by partition and offset.
    pub fn consume(&self, topic: &str) -> Vec<Value> {
        let lines = client(&self.bootstrap, &["consume", topic], "");
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Writes a SQL file; `$topic` stands for the topic.
    pub fn sql(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("case.sql");
        std::fs::write(&path, text.replace("$topic", &self.topic)).unwrap();
        path
    }

    pub fn command(&self, sql: &str, arguments: &[&str]) -> Command {
        // Tests that run under nohup start jobs that do not.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=HUP")
            .args([env!("CARGO_BIN_EXE_flowline"), "run"])
            .arg(self.sql(sql))
            .args(["--kafka", &self.bootstrap, "--output", "jsonl"])
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a job; what it says goes to the case's log, which is shown when the test fails.
    pub fn start(&self, sql: &str, arguments: &[&str]) -> Child {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"))
            .unwrap();
        self.command(sql, arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// What the jobs that were started have said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Runs a job to its end.
    pub fn run(&self, sql: &str, arguments: &[&str]) -> Output {
        let mut child = self.command(sql, arguments).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(180);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                let output = child.wait_with_output().unwrap();
                panic!(
                    "the job does not end:\n{}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.wait_with_output().unwrap()
    }

    /// The rows of a SELECT, sorted.
    pub fn rows(&self, sql: &str, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(sql, arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut rows = rows_of(&output.stdout);
        rows.sort_by_key(Value::to_string);
        rows
    }

    /// What a job that must fail says.
    pub fn fails(&self, sql: &str, code: i32) -> String {
        let output = self.run(sql, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        // Messages are wrapped to the width of a terminal.
        said.split_whitespace()
            .filter(|word| *word != "│")
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let log = self.log();
        if std::thread::panicking() && !log.is_empty() {
            eprintln!("the jobs said:\n{log}");
        }
    }
}

/// The rows among the lines of `--output jsonl`.
pub fn rows_of(stdout: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(stdout)
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<Value>(line)
                .ok()?
                .get("row")
                .cloned()
        })
        .collect()
}

pub fn stop(mut child: Child) {
    // As Ctrl-C does.
    let _ = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn eventually(what: &str, seconds: u64, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within {seconds} s");
        std::thread::sleep(Duration::from_millis(200));
    }
}

pub const TABLE: &str = "CREATE TABLE t (a INT, b STRING) WITH ('connector' = 'kafka', 'topic' = '$topic', \
    'properties.bootstrap.servers' = 'elsewhere:1', 'format' = 'json'";

pub fn numbers(range: std::ops::Range<i64>) -> Vec<Value> {
    range.map(|i| json!({"value": {"a": i, "b": "x"}, "timestamp": 1000 + i * 100, "partition": i % 2})).collect()
}

pub fn column(rows: &[Value], name: &str) -> Vec<i64> {
    let mut values: Vec<i64> = rows.iter().map(|row| row[name].as_i64().unwrap()).collect();
    values.sort_unstable();
    values
}
