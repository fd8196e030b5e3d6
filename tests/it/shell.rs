//! `flowline sql`: statements through a pipe and typed at a terminal, answered in the process and by a server.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

use crate::recovery::words;
use crate::server::{SUMS, Server};

/// What the shell answers to this text.
fn piped(dir: &Path, arguments: &[&str], text: &str) -> Output {
    let mut child = shell(dir, arguments);
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended before it has read everything.
    let _ = stdin.write_all(text.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn shell(dir: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_flowline"))
        .arg("sql")
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Declares `t` with the rows 1 to 3, and `o`, which is written to a folder.
const TABLES: &str = "CREATE TABLE t (n INT) WITH ('connector' = 'filesystem', 'path' = 't.json', 'format' = 'json');
CREATE TABLE o (n INT, d INT) WITH ('connector' = 'filesystem', 'path' = 'o', 'format' = 'json');
";

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("t.json"),
        "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n",
    )
    .unwrap();
    dir
}

#[test]
fn statements_are_answered_one_after_another() {
    let dir = folder();
    let text = TABLES.to_string()
        + "SELECT SUM(n) AS s FROM t; SHOW TABLES;
           CREATE VIEW big AS SELECT n FROM t -- a; comment
             WHERE n > 1 AND ';' <> 'x';
           SELECT * FROM big; DESCRIBE big;
           DROP VIEW big; SHOW VIEWS;
           SET 'parallelism.default' = '2'; SET;
           EXPLAIN SELECT n FROM t;
           quit; SELECT 1";
    let output = piped(dir.path(), &[], &text);
    assert!(output.status.success(), "{}", words(&output.stderr));
    let said = out(&output);
    let (rows, plan) = said.split_once("A node reads").unwrap();
    let expected = [
        r#"{"s":6}"#,
        r#"{"table name":"o"}"#,
        r#"{"table name":"t"}"#,
        r#"{"n":2}"#,
        r#"{"n":3}"#,
        r#"{"name":"n","type":"INT","null":"TRUE","key":"","extras":"","watermark":""}"#,
        r#"{"key":"parallelism.default","value":"2"}"#,
    ];
    assert_eq!(rows.lines().collect::<Vec<_>>(), expected);
    assert!(plan.contains("select_1") && !plan.contains("{"), "{plan}");
    let output = piped(
        dir.path(),
        &["--output", "table"],
        &(TABLES.to_string() + "SELECT n FROM t"),
    );
    let said = out(&output);
    assert!(said.contains("│ 3 │") && !said.contains("rows"), "{said}");
}

#[test]
fn the_first_error_ends_a_script_unless_told_otherwise() {
    let dir = folder();
    let text =
        TABLES.to_string() + "SELECT\n  m FROM t; SELECT 'é', x FROM t;\nSELECT 1 AS o;\nhelp;\n";
    let output = piped(dir.path(), &[], &text);
    assert_eq!(output.status.code(), Some(2));
    let said = words(&output.stderr);
    assert!(
        said.contains("<stdin>:4:3") && !said.contains("<stdin>:4:25"),
        "{said}"
    );
    assert_eq!(out(&output), "");
    let output = piped(dir.path(), &["--keep-going"], &text);
    assert_eq!(output.status.code(), Some(2));
    let said = words(&output.stderr);
    for part in [
        "<stdin>:4:3",
        "'m'",
        "<stdin>:4:25",
        "error: 2 statements failed",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        out(&output).starts_with("{\"o\":1}\nA statement ends"),
        "{}",
        out(&output)
    );
    // What is not closed, and a file that is not there.
    let output = piped(dir.path(), &[], "\n SELECT 'a;\n");
    assert!(
        words(&output.stderr).contains("<stdin>:2:9"),
        "{}",
        words(&output.stderr)
    );
    let text = TABLES.replace("t.json", "none.json") + "SELECT * FROM t;";
    assert_eq!(piped(dir.path(), &[], &text).status.code(), Some(3));
}

#[test]
fn continuous_queries_and_inserts_run_to_the_end_of_their_inputs() {
    let dir = folder();
    let text = TABLES.to_string()
        + "INSERT INTO o SELECT n, 2 * n FROM t;
           SELECT SUM(d) AS s FROM o;
           BEGIN STATEMENT SET; INSERT INTO o SELECT n, n FROM t; INSERT INTO o SELECT n, n FROM t; END;
           SELECT SUM(d) AS s FROM o;
           SET 'execution.runtime-mode' = 'streaming';
           SELECT COUNT(*) AS c FROM t;
           RESET 'execution.runtime-mode';
           SELECT COUNT(*) AS c FROM t;";
    let output = piped(dir.path(), &[], &text);
    let said = words(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("running o") && said.contains("written select_1"),
        "{said}"
    );
    let answers = out(&output);
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers[..2], [r#"{"s":12}"#, r#"{"s":24}"#]);
    assert!(
        answers[2..].contains(&r#"{"op":"+U","row":{"c":3}}"#)
            || answers[2] == r#"{"op":"+I","row":{"c":3}}"#
    );
    assert_eq!(answers.last(), Some(&r#"{"c":3}"#));
}

#[test]
fn files_declare_tables_and_their_job_is_another_one() {
    let dir = folder();
    let sql = format!(
        "SET 'pipeline.name' = 'live'; SET 'execution.checkpointing.interval' = '100 ms';
         SET 'execution.runtime-mode' = 'streaming';
         {TABLES}
         INSERT INTO o SELECT n, n FROM t;"
    );
    std::fs::write(dir.path().join("tables.sql"), sql).unwrap();
    let text = "SELECT COUNT(*) AS c FROM t; INSERT INTO o SELECT 7, 8;";
    let output = piped(dir.path(), &["--with", "tables.sql"], text);
    assert!(output.status.success(), "{}", words(&output.stderr));
    assert_eq!(out(&output), "{\"c\":3}\n");
    assert!(!dir.path().join(".flowline").exists());
    // Typed, it counts: under a name that no other statement has.
    let text = format!("SET 'execution.checkpointing.interval' = '100 ms'; {text}");
    let output = piped(dir.path(), &["--with", "tables.sql"], &text);
    assert!(output.status.success(), "{}", words(&output.stderr));
    let jobs = std::fs::read_dir(dir.path().join(".flowline/checkpoints")).unwrap();
    let jobs: Vec<String> = jobs
        .map(|j| j.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        jobs.len() == 1 && jobs[0].starts_with("tables-"),
        "{jobs:?}"
    );
}

/// A program may talk with it: an answer does not wait for the end of the input.
#[test]
fn each_statement_is_answered_when_it_is_whole() {
    let dir = folder();
    let mut child = shell(dir.path(), &[]);
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 0..3 {
        writeln!(stdin, "SELECT {n}\n  AS n;").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), format!("{{\"n\":{n}}}"));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_server_answers() {
    let server = Server::start();
    server.submit_sums(SUMS);
    server.comes_to("SELECT COUNT(*) AS c FROM doubled", r#"{"c":10}"#);
    let ask = |text: &str| piped(server.path(), &["--server", &server.url], text);
    let output = ask("
        SET 'table.exec.mini-batch.size' = '5'; SET 'rest.port' = '1';
        SELECT SUM(d) AS s FROM doubled;
        SHOW DATABASES; SHOW CREATE TABLE sums.doubled; DESCRIBE big; EXPLAIN SELECT d FROM doubled");
    let said = words(&output.stderr);
    assert!(output.status.success(), "{said}");
    // Notes are told when a SET is typed, and not again.
    assert_eq!(said.matches("note:").count(), 1, "{said}");
    let answers = out(&output);
    for part in [
        "{\"s\":90}",
        "CREATE TABLE doubled",
        "{\"name\":\"d\",\"type\":\"BIGINT\"",
        "{\"database name\":\"sums\"}",
        "== Sinks ==",
    ] {
        assert!(answers.contains(part), "{part}: {answers}");
    }
    let output = ask("SET 'parallelism.default' = '1';\nSELECT 1; SELECT 2,\n  x FROM doubled;");
    assert_eq!(output.status.code(), Some(2));
    let said = words(&output.stderr);
    assert!(
        said.contains("<stdin>:3:3") && said.contains("'x' not found"),
        "{said}"
    );
    let output = ask("DESCRIBE sums.numbers; DESCRIBE other.numbers");
    assert_eq!(out(&output).lines().count(), 1);
    assert!(words(&output.stderr).contains("'other.numbers' not found"));
    let output = ask("SET 'no.such.key' = '1'");
    assert!(
        words(&output.stderr).contains("<stdin>:1:5"),
        "{}",
        words(&output.stderr)
    );
    let output = ask("INSERT INTO doubled SELECT 1, 2");
    assert!(
        words(&output.stderr).contains("takes no rows from clients"),
        "{}",
        words(&output.stderr)
    );
    let output = ask("CREATE TABLE notes (a INT, b STRING);
         INSERT INTO notes VALUES (1, 'x;y'), (2, 'z');
         SELECT a, b FROM notes ORDER BY a;");
    let answers = out(&output);
    assert!(
        answers.ends_with("{\"a\":1,\"b\":\"x;y\"}\n{\"a\":2,\"b\":\"z\"}\n"),
        "{answers}{}",
        words(&output.stderr)
    );
}

/// Somebody at a terminal.
struct Terminal {
    process: Child,
    keys: std::fs::File,
    /// What the screen was told, without colours and moves.
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    fn new(dir: &Path, arguments: &[&str]) -> Self {
        let size = Winsize {
            ws_row: 40,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).unwrap();
        let end = || Stdio::from(OwnedFd::try_clone(&pty.slave).unwrap());
        let process = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_flowline"), "sql"])
            .args(arguments)
            .current_dir(dir)
            .env("XDG_STATE_HOME", dir.join("state"))
            .env("NO_COLOR", "1")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let keys = std::fs::File::from(pty.master);
        let (mut screen, mut answer) = (keys.try_clone().unwrap(), keys.try_clone().unwrap());
        let seen = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&seen);
        let control = regex::Regex::new("\x1b(\\[[0-9;?]*[A-Za-z]|[78])").unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                // It asks where the cursor stands.
                if text.contains("\x1b[6n") {
                    answer.write_all(b"\x1b[5;1R").unwrap();
                }
                told.lock()
                    .unwrap()
                    .push_str(&control.replace_all(&text, ""));
            }
        });
        let terminal = Self {
            process,
            keys,
            seen,
        };
        terminal.sees("flowline>");
        terminal
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this has been shown, and forgets everything up to it.
    fn sees(&self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let mut seen = self.seen.lock().unwrap();
            if let Some(at) = seen.find(text) {
                let before = seen[..at].to_string();
                seen.drain(..at + text.len());
                return before;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "no {text} in {seen:?}"
            );
            drop(seen);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ends(&mut self) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end: {:?}", self.seen.lock().unwrap());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn somebody_types() {
    let dir = folder();
    std::fs::write(dir.path().join("tables.sql"), TABLES).unwrap();
    let mut terminal = Terminal::new(dir.path(), &["--with", "tables.sql"]);
    // Over two lines; the semicolon in quotes ends nothing.
    terminal.types("SELECT n, ';'\r");
    terminal.sees("       >");
    terminal.types("FROM t WHERE n > 1;\r");
    terminal.sees("│ 3 ");
    terminal.sees("2 rows, ");
    terminal.sees("flowline>");
    // Places are those of what was typed.
    terminal.types("SELECT 1;\r");
    terminal.sees("1 row, ");
    terminal.sees("flowline>");
    terminal.types("SELECT\r m FROM t;\r");
    terminal.sees("<stdin>:2:2");
    terminal.sees("flowline>");
    // Ctrl-C clears the line.
    terminal.types("SELECT 'nonsense\x03");
    terminal.sees("flowline>");
    // Tab completes.
    terminal.types("SEL\t");
    terminal.sees("SELECT");
    terminal.types(" n FROM t;\r");
    terminal.sees("3 rows, ");
    terminal.sees("flowline>");
    terminal.types("SET 's3.secret-key' = 'hidden';\r");
    terminal.sees("flowline>");
    // What never ends is stopped by Ctrl-C, and the shell goes on.
    terminal
        .types("CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '5');\r");
    terminal.sees("flowline>");
    terminal.types("SET 'execution.runtime-mode' = 'streaming';\r");
    terminal.sees("flowline>");
    terminal.types("SELECT 'row' AS r, a FROM g;\r");
    terminal.sees("running  select_1");
    terminal.sees("\nrow ");
    terminal.types("\x03");
    terminal.sees("stopping");
    terminal.sees("written  select_1");
    terminal.sees("flowline>");
    terminal.types("help;\r");
    terminal.sees("Ctrl-D leaves");
    terminal.sees("flowline>");
    terminal.types("\x04");
    assert_eq!(terminal.ends(), Some(0));

    let file = dir.path().join("state/flowline/history");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept.contains("WHERE n > 1;") && !kept.contains("hidden"),
        "{kept}"
    );
    // It is there in the next shell.
    let mut terminal = Terminal::new(dir.path(), &[]);
    terminal.types("\x1b[A");
    terminal.sees("help;");
    // SIGTERM ends it.
    let id = terminal.process.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(terminal.ends(), Some(0));
}

#[test]
fn somebody_follows_a_table_of_a_server() {
    let server = Server::start();
    server.feed("0.json", 0..3);
    let sql = "
        CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json',
          'source.monitor-interval' = '50 ms');
        CREATE TABLE kept (n BIGINT);
        INSERT INTO kept SELECT n FROM numbers;";
    std::fs::write(server.path().join("job.sql"), sql).unwrap();
    server.done(&["submit", "job.sql"]);
    server.comes_to("SELECT COUNT(*) AS c FROM kept", r#"{"c":3}"#);
    let mut terminal = Terminal::new(server.path(), &["--server", &server.url]);
    terminal.types("SELECT COUNT(*) FROM kept;\r");
    terminal.sees("1 row, ");
    terminal.sees("flowline>");
    terminal.types("SET 'execution.runtime-mode' = 'streaming';\r");
    terminal.sees("flowline>");
    terminal.types("SELECT 1000 + n AS m FROM ke\t;\r");
    terminal.sees("FROM kept;");
    terminal.sees(" epoch  op");
    terminal.sees("+I      1002");
    server.feed("1.json", 7..8);
    terminal.sees("+I      1007");
    terminal.types("\x03");
    terminal.sees("flowline>");
    terminal.types("SHOW TABLES;\r");
    terminal.sees("job.kept");
    terminal.sees("flowline>");
    terminal.types("quit;\r");
    assert_eq!(terminal.ends(), Some(0));
}
