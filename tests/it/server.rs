//! A server as whoever operates it sees it: jobs submitted, queried, stopped, restarted, upgraded and removed; killed and back.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::recovery::words;

/// A server on a free port.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) url: String,
    /// Holds its data folder and what its jobs read and write.
    pub(crate) dir: tempfile::TempDir,
    /// What it is started with besides, for when it is started again.
    arguments: Vec<String>,
    /// Variables of its environment, and of those who call it.
    pub(crate) variables: Vec<(String, String)>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::open(tempfile::tempdir().unwrap(), Vec::new(), Vec::new())
    }

    /// With more arguments, and variables.
    pub(crate) fn with(
        dir: tempfile::TempDir,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let arguments = arguments.iter().map(|a| a.to_string()).collect();
        let variables = variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        Self::open(dir, arguments, variables)
    }

    fn open(
        dir: tempfile::TempDir,
        arguments: Vec<String>,
        variables: Vec<(String, String)>,
    ) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_flowline"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(dir.path().join("data"))
            .args(["--checkpoint-interval", "100 ms"])
            .args(&arguments)
            .envs(variables.clone())
            .current_dir(dir.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let url = first
            .strip_prefix("serving  ")
            .and_then(|rest| rest.split(',').next());
        let url = url.unwrap_or_else(|| panic!("{first}")).to_string();
        // Nobody else reads them.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            url,
            dir,
            arguments,
            variables,
        }
    }

    /// Killed as by kill -9, and started again over the same folder.
    pub(crate) fn killed_and_back(mut self) -> Self {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        let arguments = std::mem::take(&mut self.arguments);
        let variables = std::mem::take(&mut self.variables);
        Self::open(dir, arguments, variables)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_flowline"))
            .args(arguments)
            .args(["--server", &self.url])
            .envs(self.variables.clone())
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// What it says on stdout and stderr, where it must succeed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let said = words(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap() + &said
    }

    /// The exit code and what it says.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.call(arguments);
        (output.status.code().unwrap(), words(&output.stderr))
    }

    /// Runs a script of `tests/server` against it, which says nothing where all is right.
    pub(crate) fn satisfies_python(&self, script: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server");
        let output = Command::new("timeout")
            .args(["120", "python3"])
            .arg(folder.join(script))
            .arg(self.url.replace("http://", "grpc://"))
            .env("PYTHONPATH", python_packages())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", words(&output.stderr));
    }

    pub(crate) fn query(&self, sql: &str) -> String {
        self.done(&["query", "--output", "jsonl", "-e", sql])
    }

    /// Asks until the answer is this.
    pub(crate) fn comes_to(&self, sql: &str, expected: &str) {
        let begun = Instant::now();
        loop {
            let answer = self.query(sql);
            if answer.trim() == expected {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{sql}: {answer}, not {expected}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Puts a file of numbers where the job `sums` reads it.
    pub(crate) fn feed(&self, name: &str, numbers: std::ops::Range<i64>) {
        let rows = numbers.map(|n| format!("{{\"n\":{n}}}\n"));
        let folder = self.path().join("in");
        std::fs::create_dir_all(&folder).unwrap();
        // Seen whole or not at all.
        let hidden = folder.join(format!(".{name}"));
        std::fs::write(&hidden, rows.collect::<String>()).unwrap();
        std::fs::rename(hidden, folder.join(name)).unwrap();
    }

    pub(crate) fn http(&self, path: &str) -> String {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    pub(crate) fn submit_sums(&self, sql: &str) -> String {
        self.feed("0.json", 0..10);
        std::fs::write(self.path().join("sums.sql"), sql).unwrap();
        self.done(&["submit", "sums.sql"])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads numbers from a watched folder, and writes each with its double once.
pub(crate) const SUMS: &str = "
    CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json',
      'source.monitor-interval' = '50 ms');
    CREATE TABLE doubled (n BIGINT, d BIGINT) WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json',
      'sink.rolling-policy.rollover-interval' = '50 ms', 'sink.rolling-policy.check-interval' = '50 ms');
    CREATE VIEW big AS SELECT * FROM doubled WHERE d >= 10;
    INSERT INTO doubled SELECT n, 2 * n FROM numbers;";

pub(crate) const TOTAL: &str = "SELECT COUNT(*) AS c, SUM(d) AS s FROM doubled";

#[test]
fn a_job_is_submitted_queried_stopped_restarted_and_removed() {
    let server = Server::start();
    let said = server.submit_sums(SUMS);
    assert!(said.contains("job 'sums' runs: doubled"), "{said}");
    server.comes_to(TOTAL, r#"{"c":10,"s":90}"#);
    // Names may be qualified; views are there too.
    server.comes_to(
        "SELECT COUNT(*) AS c FROM default_catalog.sums.big",
        r#"{"c":5}"#,
    );
    let said = server.done(&["submit", "sums.sql"]);
    assert!(
        said.contains("is there already, with the same SQL"),
        "{said}"
    );
    let jobs = server.query("SELECT job, state, rows_in, rows_out FROM flowline.jobs");
    assert_eq!(
        jobs.trim(),
        r#"{"job":"sums","state":"RUNNING","rows_in":10,"rows_out":10}"#
    );
    let listed = server.done(&["list"]);
    assert!(
        listed.contains("sums") && listed.contains("running"),
        "{listed}"
    );
    let explained = server.done(&["explain", "--job", "sums"]);
    assert!(explained.contains("doubled"), "{explained}");

    server.done(&["stop", "sums"]);
    let status = server.done(&["status", "sums"]);
    assert!(status.contains("stopped"), "{status}");
    server.feed("1.json", 10..20);
    std::thread::sleep(Duration::from_millis(300));
    server.comes_to(TOTAL, r#"{"c":10,"s":90}"#);
    server.done(&["restart", "sums"]);
    server.comes_to(TOTAL, r#"{"c":20,"s":380}"#);
    let log = server.done(&["logs", "sums"]);
    for line in ["submitted", "begins with nothing", "stopped", "restored"] {
        assert!(log.contains(line), "{log}");
    }

    server.done(&["cancel", "sums"]);
    assert_eq!(server.query("SELECT job FROM flowline.jobs"), "");
    let (code, said) = server.refused(&["status", "sums"]);
    assert_eq!(code, 2);
    assert!(said.contains("there is no job 'sums'"), "{said}");
}

#[test]
fn a_server_that_is_killed_comes_back_with_everything_running() {
    let mut server = Server::start();
    server.submit_sums(SUMS);
    for round in 1..4 {
        server.comes_to(
            "SELECT COUNT(*) AS c FROM doubled",
            &format!("{{\"c\":{}}}", round * 10),
        );
        server = server.killed_and_back();
        server.feed(&format!("{round}.json"), round * 10..(round + 1) * 10);
    }
    server.comes_to(
        "SELECT COUNT(*) AS c, COUNT(DISTINCT n) AS u FROM doubled",
        r#"{"c":40,"u":40}"#,
    );
    // What was stopped stays stopped.
    server.done(&["stop", "sums"]);
    let server = server.killed_and_back();
    let status = server.done(&["status", "sums"]);
    assert!(status.contains("stopped"), "{status}");
}

/// Tables without a connector: one that is added to, one whose rows are replaced by key.
const KEPT: &str = "
    CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json',
      'source.monitor-interval' = '50 ms');
    CREATE TABLE totals (k INT, c BIGINT, s BIGINT, PRIMARY KEY (k) NOT ENFORCED);
    CREATE TABLE seen (n BIGINT, odd BOOLEAN);
    INSERT INTO totals SELECT MOD(n, 3), COUNT(*), SUM(n) FROM numbers GROUP BY MOD(n, 3);
    INSERT INTO seen SELECT n, MOD(n, 2) = 1 FROM numbers WHERE n < 15;
    INSERT INTO seen SELECT n, MOD(n, 2) = 1 FROM numbers WHERE n >= 15;";

#[test]
fn tables_without_a_connector_are_kept_and_survive_whatever_happens() {
    let totals = "SELECT * FROM totals ORDER BY k";
    let seen = "SELECT COUNT(*) AS c, SUM(n) AS s, COUNT(*) FILTER (WHERE odd) AS o FROM seen";
    let both = "SELECT (SELECT SUM(c) FROM totals) AS c, (SELECT COUNT(*) FROM seen) AS d";
    let mut server = Server::start();
    server.feed("0.json", 0..10);
    std::fs::write(server.path().join("kept.sql"), KEPT).unwrap();
    server.done(&["submit", "kept.sql", "--parallelism", "2"]);
    let ten = "{\"k\":0,\"c\":4,\"s\":18}\n{\"k\":1,\"c\":3,\"s\":12}\n{\"k\":2,\"c\":3,\"s\":15}";
    server.comes_to(totals, ten);
    assert_eq!(server.query(seen).trim(), r#"{"c":10,"s":45,"o":5}"#);
    // Whenever it is asked, all tables are as at the end of one epoch.
    server.feed("1.json", 10..20);
    let begun = Instant::now();
    loop {
        let answer = server.query(both);
        let told: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(told["c"], told["d"], "{answer}");
        if told["c"] == 20 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{answer}");
    }
    let twenty =
        "{\"k\":0,\"c\":7,\"s\":63}\n{\"k\":1,\"c\":7,\"s\":70}\n{\"k\":2,\"c\":6,\"s\":57}";
    server.comes_to(totals, twenty);
    server = server.killed_and_back();
    server.comes_to(totals, twenty);
    server.comes_to(seen, r#"{"c":20,"s":190,"o":10}"#);
    // At another parallelism, and when it does not run.
    server.done(&["upgrade", "kept", "kept.sql"]);
    server.comes_to(totals, twenty);
    server.done(&["stop", "kept"]);
    assert_eq!(server.query(totals).trim(), twenty);
    server = server.killed_and_back();
    assert_eq!(server.query(totals).trim(), twenty);
    server.feed("2.json", 20..21);
    server.done(&["restart", "kept"]);
    server.comes_to("SELECT s FROM totals WHERE k = 2", r#"{"s":77}"#);
    server.comes_to(seen, r#"{"c":21,"s":210,"o":10}"#);
}

/// What somebody who follows a query has heard.
struct Follower {
    process: Child,
    heard: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl Follower {
    fn new(server: &Server, sql: &str, from: Option<u64>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowline"));
        command
            .args(["query", "--follow", "-e", sql])
            .args(["--server", &server.url]);
        if let Some(from) = from {
            command.args(["--from", &from.to_string()]);
        }
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let change = serde_json::from_str(&line).unwrap();
                told.lock().unwrap().push(change);
            }
        });
        Self { process, heard }
    }

    /// Waits until what was heard before and since adds up to this.
    fn comes_to(&self, before: &[serde_json::Value], expected: &str) {
        let begun = Instant::now();
        loop {
            let heard = self.heard.lock().unwrap().clone();
            let rows = folded(before.iter().chain(&heard));
            if rows == expected {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{rows}, not {expected}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What changes add up to: rows in order, each on a line. A row goes only if it was there.
fn folded<'a>(changes: impl Iterator<Item = &'a serde_json::Value>) -> String {
    let mut rows: Vec<String> = Vec::new();
    for change in changes {
        let row = change["row"].to_string();
        match change["op"].as_str().unwrap() {
            "+I" | "+U" => rows.push(row),
            _ => {
                let at = rows.iter().position(|r| *r == row);
                rows.remove(at.unwrap_or_else(|| panic!("{change} of a row that is not there")));
            }
        }
    }
    rows.sort();
    rows.join("\n")
}

/// Whoever follows tables through kills of the server hears of each change once.
#[test]
fn subscriptions_give_each_change_once_and_go_on_after_a_kill() {
    let queries = [
        "SELECT * FROM totals",
        "SELECT COUNT(*) AS c, SUM(s) AS t FROM totals WHERE k > 0",
        "SELECT n FROM seen WHERE odd",
        "SELECT t.k, COUNT(s.n) AS c FROM totals AS t LEFT JOIN seen AS s ON MOD(s.n, 3) = t.k GROUP BY t.k",
    ];
    let mut server = Server::start();
    server.feed("0.json", 0..10);
    std::fs::write(server.path().join("kept.sql"), KEPT).unwrap();
    server.done(&["submit", "kept.sql", "--parallelism", "2"]);
    server.comes_to("SELECT SUM(c) AS c FROM totals", r#"{"c":10}"#);
    let mut heard: Vec<Vec<serde_json::Value>> = vec![Vec::new(); queries.len()];
    for round in 1..6 {
        let last = |heard: &[serde_json::Value]| heard.last().map(|c| c["epoch"].as_u64().unwrap());
        let followers: Vec<Follower> = queries
            .iter()
            .zip(&heard)
            .map(|(sql, heard)| Follower::new(&server, sql, last(heard)))
            .collect();
        if round == 1 {
            // Now and then the server says that nothing has changed, which ends nobody.
            std::thread::sleep(Duration::from_secs(5));
        }
        server.feed(&format!("{round}.json"), round * 10..(round + 1) * 10);
        let all = format!("{{\"c\":{}}}", (round + 1) * 10);
        server.comes_to("SELECT SUM(c) AS c FROM totals", &all);
        for ((sql, follower), heard) in queries.iter().zip(&followers).zip(&mut heard) {
            let mut rows: Vec<String> = server.query(sql).lines().map(str::to_string).collect();
            rows.sort();
            follower.comes_to(heard, &rows.join("\n"));
            heard.extend(follower.heard.lock().unwrap().clone());
        }
        server = server.killed_and_back();
    }
    // An epoch that has not been, or whose changes are not there.
    let (code, said) = server.refused(&["query", "--follow", "--from", "999999", "-e", queries[0]]);
    assert_eq!(code, 2);
    assert!(said.contains("epoch 999999 has not been"), "{said}");
    for (sql, why) in [
        ("SELECT * FROM numbers", "the server does not keep it"),
        ("SELECT * FROM flowline.jobs", "the server does not keep it"),
        ("SELECT 1", "reads no table"),
    ] {
        let (code, said) = server.refused(&["query", "--follow", "-e", sql]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn tables_of_a_job_that_has_read_all_its_input_stay() {
    let mut server = Server::start();
    server.feed("0.json", 0..10);
    let sql = KEPT.replace(",\n      'source.monitor-interval' = '50 ms'", "");
    assert_ne!(sql, KEPT);
    std::fs::write(server.path().join("kept.sql"), sql).unwrap();
    server.done(&["submit", "kept.sql"]);
    for _ in 0..2 {
        server.comes_to("SELECT state FROM flowline.jobs", r#"{"state":"FINISHED"}"#);
        server.comes_to("SELECT c, s FROM totals WHERE k = 0", r#"{"c":4,"s":18}"#);
        server.comes_to("SELECT COUNT(*) AS c FROM seen", r#"{"c":10}"#);
        server = server.killed_and_back();
    }
}

/// The folder with the Python packages of a client, fetched once.
fn python_packages() -> std::path::PathBuf {
    let home = std::env::var_os("HOME").unwrap();
    let folder = Path::new(&home).join(".cache/flowline/python-adbc");
    let imports = |folder: &Path| {
        let output = Command::new("python3")
            .args(["-c", "import adbc_driver_flightsql, pyarrow.flight"])
            .env("PYTHONPATH", folder)
            .output()
            .unwrap();
        output.status.success()
    };
    if imports(&folder) {
        return folder;
    }
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !run("python3", &["-m", "pip", "--version"]) {
        run("apt-get", &["update", "-q"]);
        run("apt-get", &["install", "-y", "-q", "python3-pip"]);
    }
    let fetched = Command::new("python3")
        .args(["-m", "pip", "install", "-q", "--upgrade", "--target"])
        .arg(&folder)
        .args(["adbc-driver-flightsql", "adbc-driver-manager", "pyarrow"])
        .output()
        .unwrap();
    assert!(
        imports(&folder),
        "install adbc-driver-flightsql and pyarrow for python3: {}",
        words(&fetched.stderr)
    );
    folder
}

#[test]
fn python_asks_over_adbc_and_subscribes_over_flight() {
    let server = Server::start();
    server.feed("0.json", 0..10);
    std::fs::write(server.path().join("kept.sql"), KEPT).unwrap();
    server.done(&["submit", "kept.sql"]);
    server.comes_to("SELECT SUM(c) AS c FROM totals", r#"{"c":10}"#);
    server.satisfies_python("adbc.py");
}

#[test]
fn mistakes_come_back_with_their_places() {
    let server = Server::start();
    let wrong = SUMS.replace("2 * n", "2 * m");
    std::fs::write(server.path().join("sums.sql"), &wrong).unwrap();
    let (code, said) = server.refused(&["submit", "sums.sql"]);
    assert_eq!(code, 2);
    assert!(
        said.contains("sums.sql:7:39") && said.contains("'m'"),
        "{said}"
    );
    assert!(said.contains("SELECT n, 2 * m FROM numbers"), "{said}");
    let (code, said) = server.refused(&["query", "-e", "SELECT x FROM flowline.jobs"]);
    assert_eq!(code, 2);
    assert!(
        said.contains("'x' not found") && said.contains('^'),
        "{said}"
    );
    let (code, said) = server.refused(&["submit", "sums.sql", "--name", "../up"]);
    assert_eq!(code, 2);
    assert!(said.contains("cannot be the name of a job"), "{said}");
    let nobody = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(["list", "--server", "http://127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(3));
    assert!(words(&nobody.stderr).contains("no server answers at http://127.0.0.1:1"));
}

#[test]
fn an_upgrade_says_what_becomes_of_the_state_and_keeps_what_fits() {
    let server = Server::start();
    let sql = |what: &str| {
        format!(
            "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json',
               'source.monitor-interval' = '50 ms');
             CREATE TABLE total (c BIGINT) WITH ('connector' = 'blackhole');
             CREATE TABLE other (c BIGINT) WITH ('connector' = 'blackhole');
             INSERT INTO total SELECT {what} FROM numbers;"
        )
    };
    server.submit_sums(&sql("SUM(n)"));
    server.comes_to("SELECT rows_in FROM flowline.jobs", r#"{"rows_in":10}"#);
    server.comes_to("SELECT epoch > 2 AS e FROM flowline.jobs", r#"{"e":true}"#);
    let (code, said) = server.refused(&["submit", "sums.sql", "--parallelism", "2"]);
    assert_eq!(code, 2);
    assert!(said.contains("upgrade it"), "{said}");

    let more = sql("SUM(n)") + " INSERT INTO other SELECT COUNT(*) FROM numbers;";
    std::fs::write(server.path().join("sums.sql"), more).unwrap();
    let said = server.done(&["upgrade", "sums", "sums.sql", "--dry-run"]);
    assert!(
        said.contains("keeps total") && said.contains("new other"),
        "{said}"
    );
    server.done(&["upgrade", "sums", "sums.sql"]);
    let outputs = server.query("SELECT `table` FROM flowline.sinks ORDER BY `table`");
    assert_eq!(outputs, "{\"table\":\"other\"}\n{\"table\":\"total\"}\n");

    // What does not fit is refused, and the job goes on as it was.
    std::fs::write(server.path().join("sums.sql"), sql("MAX(n)")).unwrap();
    let (code, said) = server.refused(&["upgrade", "sums", "sums.sql"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("state that fits no operator"), "{said}");
    let status = server.done(&["status", "sums"]);
    assert!(
        status.contains("running") && status.contains("total, other"),
        "{status}"
    );
    server.done(&["upgrade", "sums", "sums.sql", "--drop-state"]);
    let savepoint = server.path().join("sp");
    server.done(&["stop", "sums", "--savepoint", savepoint.to_str().unwrap()]);
    assert!(savepoint.is_dir());
}

#[test]
fn what_lives_and_is_ready_is_reported_over_http() {
    let server = Server::start();
    assert!(server.http("/healthz").starts_with("HTTP/1.1 200"));
    assert!(server.http("/readyz").starts_with("HTTP/1.1 200"));
    assert!(server.http("/nothing").starts_with("HTTP/1.1 404"));
    // A second server cannot have the folder.
    let second = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(server.path().join("data"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(words(&second.stderr).contains("another server has the data folder"));
    // Nor can it be reached from elsewhere unasked.
    let open = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(["serve", "--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(open.status.code(), Some(2));
    assert!(words(&open.stderr).contains("does not ask who calls"));
}
