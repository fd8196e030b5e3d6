//! What a person types and what is answered: settings, options, standard input, mistakes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use flowline::graph::Operation;
use flowline::session::{Place, Replay, Session, SessionConfig};
use flowline::sql::SourceFile;

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A file or, where the name has a slash, one in a folder.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A table over a file or folder.
    fn table(&self, name: &str, columns: &str, at: &str, options: &str) -> String {
        let path = self.dir.path().join(at);
        format!(
            "CREATE TABLE {name} ({columns}) WITH ('connector' = 'filesystem', 'path' = '{}', {options});\n",
            path.display()
        )
    }

    /// What is in the visible files of a folder, as sorted lines.
    fn lines(&self, folder: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(self.dir.path().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.starts_with(['.', '_']) {
                let text = std::fs::read_to_string(&path).unwrap();
                lines.extend(text.lines().map(str::to_string));
            }
        }
        lines.sort();
        lines
    }
}

fn flowline(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn rows(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", said(output));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_string).collect()
}

/// Runs a script from standard input; it must end with `code`. Returns what it said.
fn script(text: &str, arguments: &[&str], code: i32) -> String {
    let output = flowline(&[&["run", "-"], arguments].concat(), text);
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    said(&output)
}

#[test]
fn keys_of_flinks_are_taken_with_a_reason_and_slips_are_refused() {
    let mut text = String::new();
    for (key, reason) in [
        ("taskmanager.memory.process.size", "no task manager"),
        ("state.backend", "kept in memory and in checkpoints"),
        (
            "state.backend.rocksdb.localdir",
            "kept in memory and in checkpoints",
        ),
        ("rest.port", "no web server"),
        (
            "execution.checkpointing.mode",
            "barriers are always aligned",
        ),
        ("table.exec.sink.type-length-enforcer", "as a CAST does"),
        ("pipeline.max-parallelism", "128 key groups"),
        ("metrics.reporter.prom.factory.class", "nothing is reported"),
        ("kubernetes.cluster-id", "one process"),
        (
            "restart-strategy.failure-rate.failure-rate-interval",
            "from checkpoint to checkpoint",
        ),
    ] {
        text = format!("SET '{key}' = '1';\n");
        let told = script(&text, &[], 0);
        let note = format!("note: SET '{key}' has no effect in flowline: ");
        assert!(told.contains(&note) && told.contains(reason), "{told}");
    }
    assert!(!text.is_empty());
    let told = script("SET 'taskmanager.memory.proces.size' = '1g';", &[], 2);
    assert!(
        told.contains("did you mean 'taskmanager.memory.process.size'?"),
        "{told}"
    );
    let told = script(
        "SET 'table.exec.source.cdc-events-duplicate' = 'true';",
        &[],
        0,
    );
    assert!(!told.contains("no effect"), "{told}");
}

#[test]
fn lists_of_keys_are_cut_between_keys() {
    let told = script("SET 'colour' = 'red';", &[], 2);
    for key in [
        "table.exec.resource.default-parallelism",
        "table.exec.sink.require-on-conflict",
        "execution.state-recovery.ignore-unclaimed-state",
        "restart-strategy.exponential-delay.attempts-before-reset-backoff",
    ] {
        assert!(told.contains(key), "{key} is cut:\n{told}");
    }
    assert!(
        told.lines().all(|line| line.chars().count() <= 110),
        "{told}"
    );
}

#[test]
fn a_statement_has_the_settings_that_are_set_where_it_stands() {
    let case = Case::new();
    case.file("in/x.json", "{\"a\":1}\n{\"a\":null}\n");
    let tables = case.table("s", "a INT", "in", "'format' = 'json'")
        + &case.table("first_sink", "a INT NOT NULL", "first", "'format' = 'json'")
        + &case.table(
            "second_sink",
            "a INT NOT NULL",
            "second",
            "'format' = 'json'",
        );
    let set = "SET 'table.exec.sink.not-null-enforcer' = 'DROP';\n";
    let reset = "RESET 'table.exec.sink.not-null-enforcer';\n";
    let first = "INSERT INTO first_sink SELECT a FROM s;\n";
    let second = "INSERT INTO second_sink SELECT a FROM s;\n";
    let told = script(&[&tables, set, first, reset, second].concat(), &[], 1);
    assert!(
        told.contains("table 'second_sink'") && !told.contains("first_sink'"),
        "{told}"
    );
    let told = script(&[&tables, first, set, second].concat(), &[], 1);
    assert!(told.contains("table 'first_sink'"), "{told}");
    let third = case.table("third_sink", "a INT NOT NULL", "third", "'format' = 'json'");
    let both = [&tables, &third, set, first, second, reset].concat();
    script(&both.replace("INTO second_sink", "INTO third_sink"), &[], 0);
    assert_eq!(case.lines("third"), ["{\"a\":1}"]);
    // From outside it goes over all that the files say.
    let set = ["--set", "table.exec.sink.not-null-enforcer=DROP"];
    script(&[&tables, first, reset, second].concat(), &set, 0);
}

#[test]
fn options_that_flink_documents_are_taken() {
    let kafka = "CREATE TABLE t (a INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'kafka', 'topic' = 't',
        'properties.bootstrap.servers' = 'localhost:1', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset',
        'scan.parallelism' = '2', 'sink.parallelism' = '3', 'scan.watermark.idle-timeout' = '10 s',
        'scan.watermark.emit.strategy' = 'on-event', 'scan.watermark.emit.on-event.gap' = '2',
        'scan.watermark.alignment.group' = 'g', 'scan.watermark.alignment.max-drift' = '1 min',
        'scan.watermark.alignment.update-interval' = '1 s', 'properties.max.poll.records' = '500',
        'properties.interceptor.classes' = 'a.B', 'properties.zookeeper.connect' = 'z:2181',
        'properties.key.deserializer' = 'a.B', 'properties.enable.auto.commit' = 'true');
    CREATE TABLE u (a INT, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 'u',
        'properties.bootstrap.servers' = 'localhost:1', 'key.format' = 'json', 'value.format' = 'json',
        'sink.buffer-flush.max-rows' = '100', 'sink.buffer-flush.interval' = '1 s', 'sink.partitioner' = 'fixed');";
    let told = script(kafka, &[], 0);
    for key in [
        "scan.parallelism",
        "sink.parallelism",
        "scan.watermark.emit.strategy",
        "scan.watermark.alignment.group",
        "properties.max.poll.records",
        "properties.enable.auto.commit",
        "properties.zookeeper.connect",
    ] {
        let note = format!("note: table 't': '{key}' has no effect in flowline: ");
        assert!(told.contains(&note), "{key}\n{told}");
    }
    assert!(!told.contains("idle-timeout"), "{told}");
    assert!(
        told.contains("table 'u': 'sink.buffer-flush.interval' has no effect"),
        "{told}"
    );
    let told = script(&kafka.replace("'10 s'", "'soon'"), &[], 2);
    assert!(told.contains("expected a duration"), "{told}");
    let jks = "'properties.ssl.truststore.location' = 'x.jks', 'scan.parallelism'";
    let told = script(&kafka.replace("'scan.parallelism'", jks), &[], 2);
    assert!(told.contains("keytool -list -rfc"), "{told}");
}

#[test]
fn a_table_has_its_own_idle_timeout() {
    let graph = |set: &str, option: &str| {
        let mut session = Session::new(SessionConfig::default());
        let text = format!(
            "{set} CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen' {option});
             SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
             GROUP BY window_start, window_end;"
        );
        session.load(&SourceFile::new("x.sql", text)).unwrap();
        session.graph().unwrap()
    };
    let timeout = |set: &str, option: &str| {
        let graph = graph(set, option);
        let rules = graph.nodes.iter().filter_map(|node| match &node.operation {
            Operation::Source(source) => source.watermark.clone(),
            _ => None,
        });
        rules
            .map(|r| r.idle_timeout.map(|t| t.as_secs()))
            .collect::<Vec<_>>()
    };
    let set = "SET 'table.exec.source.idle-timeout' = '7 s';";
    let option = ", 'scan.watermark.idle-timeout' = '3 s'";
    assert_eq!(timeout("", ""), [None]);
    assert_eq!(timeout(set, ""), [Some(7)]);
    assert_eq!(timeout(set, option), [Some(3)]);
    assert_eq!(timeout("", option), [Some(3)]);
}

#[test]
fn the_range_of_a_replay_holds_whatever_hints_say() {
    let replay = Replay {
        range: Some((
            Place::Offsets("partition:0,offset:3".into()),
            Place::Offsets("partition:0,offset:5".into()),
        )),
        into: BTreeMap::new(),
        closes_windows: false,
    };
    let mut session = Session::new(SessionConfig {
        replay: Some(replay),
        ..SessionConfig::default()
    });
    let text = "CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'json',
            'properties.bootstrap.servers' = 'localhost:1', 'scan.startup.mode' = 'earliest-offset');
        ALTER TABLE t SET ('scan.startup.mode' = 'latest-offset');
        SELECT * FROM t;
        SELECT * FROM t /*+ OPTIONS('scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'unbounded') */;";
    session.load(&SourceFile::new("x.sql", text)).unwrap();
    let graph = session.graph().unwrap();
    let mut sources = 0;
    for node in &graph.nodes {
        if let Operation::Source(source) = &node.operation {
            sources += 1;
            let option = |key: &str| source.table.with.get(key).map(String::as_str);
            assert_eq!(option("scan.startup.mode"), Some("specific-offsets"));
            assert_eq!(
                option("scan.startup.specific-offsets"),
                Some("partition:0,offset:3")
            );
            assert_eq!(
                option("scan.bounded.specific-offsets"),
                Some("partition:0,offset:5")
            );
        }
    }
    assert!(sources > 0);
}

#[test]
fn standard_input_is_a_file() {
    let text = "CREATE VIEW v AS SELECT * FROM (VALUES (1), (2)) AS t (a);\nSELECT a FROM v;";
    let output = flowline(&["run", "-", "--output", "jsonl"], text);
    assert_eq!(rows(&output).len(), 2);
    let output = flowline(&["check", "-"], text);
    assert_eq!(
        rows(&output),
        ["ok: 1 file, 0 tables, 1 view, 1 statement to run"]
    );
    assert!(!rows(&flowline(&["explain", "-"], text)).is_empty());
    let output = flowline(&["check", "-"], "SELEC 1;");
    assert!(said(&output).contains("<stdin>:1:1"), "{}", said(&output));
}

/// The cases of streams, asked.
#[test]
fn a_snapshot_query_answers_what_the_stream_comes_to() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for name in [
        "join/special_doubles",
        "join/null_keys",
        "grouping_sets/unbounded",
    ] {
        let dir = root.join(name);
        let mut arguments = vec![
            "query".to_string(),
            dir.join("case.sql").display().to_string(),
        ];
        arguments.extend(["--output".to_string(), "jsonl".to_string()]);
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "jsonl") {
                let table = path.file_stem().unwrap().to_string_lossy().into_owned();
                arguments.push(format!("--source={table}={}", path.display()));
            }
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut found = rows(&flowline(&arguments, ""));
        let mut expected = Vec::new();
        for i in 1.. {
            let path = dir.join(format!("expected/select_{i}.final.jsonl"));
            let Ok(text) = std::fs::read_to_string(path) else {
                break;
            };
            expected.extend(
                text.lines()
                    .map(|row| format!("{{\"from\":\"select_{i}\",\"row\":{row}}}")),
            );
        }
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_file_that_is_asked_may_declare_its_tables() {
    let case = Case::new();
    case.file("in/x.json", "{\"a\":1}\n{\"a\":3}\n");
    let declared = case.table("t", "a INT", "in", "'format' = 'json'");
    let text = format!(
        "SET 'parallelism.default' = '1';\n{declared}\nSELECT SUM(a) AS n\nFROM t\n; -- all\nSELECT COUNT(*) AS n FROM t"
    );
    let file = case.file("ask.sql", &text);
    let expected = [
        "{\"from\":\"select_1\",\"row\":{\"n\":4}}",
        "{\"from\":\"select_2\",\"row\":{\"n\":2}}",
    ];
    let output = flowline(&["query", file.to_str().unwrap(), "--output", "jsonl"], "");
    assert_eq!(rows(&output), expected);
    let output = flowline(&["query", "-", "--output", "jsonl"], &text);
    assert_eq!(rows(&output), expected);
    // A mistake is told at its place.
    let output = flowline(&["query", "-"], &text.replace("COUNT(*)", "COUNT(b)"));
    let line = text.lines().position(|l| l.contains("COUNT")).unwrap() + 1;
    assert!(
        said(&output).contains(&format!("<stdin>:{line}:")),
        "{}",
        said(&output)
    );
    let output = flowline(
        &["query", "-"],
        &format!("{declared}INSERT INTO t VALUES (1);"),
    );
    assert!(
        said(&output).contains("a snapshot query is a SELECT"),
        "{}",
        said(&output)
    );
}

#[test]
fn the_first_line_of_a_csv_file_may_name_its_columns() {
    let case = Case::new();
    case.file("in/1.csv", "b,extra,a\nx,?,1\n\"y,z\",?,2\n");
    case.file("in/2.csv", "a\n3\n");
    let header = "'format' = 'csv', 'csv.header' = 'true'";
    let select = "SELECT a, b FROM t;";
    let ask = |table: String| flowline(&["run", "-", "--output", "jsonl"], &(table + select));
    let mut found = rows(&ask(case.table("t", "a INT, b STRING", "in", header)));
    found.sort();
    let row = |a: i32, b: &str| format!("{{\"op\":\"+I\",\"row\":{{\"a\":{a},\"b\":{b}}}}}");
    assert_eq!(found, [row(1, "\"x\""), row(2, "\"y,z\""), row(3, "null")]);
    // A column that no line names, and a file without such a line.
    let strict = format!("{header}, 'csv.fail-on-missing-columns' = 'true'");
    let output = ask(case.table("t", "a INT, b STRING", "in", &strict));
    assert!(
        said(&output).contains("2.csv:1: field 'b'"),
        "{}",
        said(&output)
    );
    case.file("in/2.csv", "3,4\n");
    let output = ask(case.table("t", "a INT, b STRING", "in", header));
    assert!(
        said(&output).contains("names none of the table's columns"),
        "{}",
        said(&output)
    );
    // One that is only passed over.
    case.file("plain/1.csv", "whatever\n1,x\n");
    let ignored = "'format' = 'csv', 'csv.ignore-first-line' = 'true'";
    let output = ask(case.table("t", "a INT, b STRING", "plain", ignored));
    assert_eq!(rows(&output), [row(1, "\"x\"")]);
    // What is written has the line too.
    let write = case.table("t", "a INT, `b c` STRING", "out", header);
    script(&format!("{write}INSERT INTO t VALUES (1, 'x');"), &[], 0);
    assert_eq!(case.lines("out"), ["1,x", "a,\"b c\""]);
    let written = case.table(
        "t",
        "`a-b` INT",
        "dashes",
        &format!("{header}, 'csv.field-delimiter' = '-'"),
    );
    script(&format!("{written}INSERT INTO t VALUES (1);"), &[], 0);
    assert_eq!(case.lines("dashes"), ["\"a-b\"", "1"]);
    // A record of a topic has no first line.
    let kafka = "CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'csv', 'csv.header' = 'true',
        'properties.bootstrap.servers' = 'localhost:1', 'scan.startup.mode' = 'earliest-offset');";
    assert!(script(kafka, &[], 2).contains("the option is for files"));
    let told = script(
        &kafka.replace("csv.header", "csv.ignore-first-line"),
        &[],
        2,
    );
    assert!(told.contains("'csv.ignore-first-line'"), "{told}");
}

#[test]
fn one_mistake_is_told_once() {
    let told = script(
        "CREATE TABLE t (a INT) WITH ('connector' = 'nats');
         CREATE VIEW v AS SELECT a FROM t;
         INSERT INTO t SELECT a FROM v;
         SELECT a FROM v;
         SELECT a FROM other;",
        &[],
        2,
    );
    assert!(
        told.contains("table 't': unknown connector 'nats'"),
        "{told}"
    );
    assert!(
        !told.contains("'t' not found") && !told.contains("'v' not found"),
        "{told}"
    );
    assert!(told.contains("table 'other' not found"), "{told}");
    assert!(told.contains("error: 2 mistakes in the SQL"), "{told}");
}

#[test]
fn batch_mode_gives_the_final_rows_once() {
    let case = Case::new();
    let events: String = [(10, "a"), (70, "b"), (130, "a"), (5, "a"), (6, "b")]
        .iter()
        .map(|(second, k)| {
            let at = format!("2025-01-01 00:{:02}:{:02}", second / 60, second % 60);
            format!("{{\"k\":\"{k}\",\"ts\":\"{at}\"}}\n")
        })
        .collect();
    case.file("in/x.json", &events);
    let tables = case.table(
        "s",
        "k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts",
        "in",
        "'format' = 'json'",
    ) + &case.table(
        "counts",
        "k STRING, n BIGINT",
        "counts",
        "'format' = 'json'",
    ) + &case.table("windows", "n BIGINT", "windows", "'format' = 'json'");
    let batch = "SET 'execution.runtime-mode' = 'batch';\n";
    let counts = "INSERT INTO counts SELECT k, COUNT(*) FROM s GROUP BY k HAVING COUNT(*) > 1;\n";
    let windows = "INSERT INTO windows SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
        GROUP BY window_start, window_end;\n";
    let told = script(
        &[&tables, batch, counts, windows].concat(),
        &["--parallelism", "2"],
        0,
    );
    assert_eq!(
        case.lines("counts"),
        ["{\"k\":\"a\",\"n\":3}", "{\"k\":\"b\",\"n\":2}"]
    );
    // The rows that a stream would find late count.
    assert_eq!(
        case.lines("windows"),
        ["{\"n\":1}", "{\"n\":1}", "{\"n\":3}"]
    );
    assert!(!told.contains("late"), "{told}");
    let select = format!("{tables}{batch}SELECT k, COUNT(*) AS n FROM s GROUP BY k;");
    let mut found = rows(&flowline(&["run", "-", "--output", "jsonl"], &select));
    found.sort();
    assert_eq!(
        found,
        [
            "{\"op\":\"+I\",\"row\":{\"k\":\"a\",\"n\":3}}",
            "{\"op\":\"+I\",\"row\":{\"k\":\"b\",\"n\":2}}"
        ]
    );
    // So do those that another statement passes on.
    let passed_on = "CREATE TABLE m (k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);
        INSERT INTO m SELECT k, ts FROM s;\n";
    let third = case.table("third", "n BIGINT", "third", "'format' = 'json'");
    let windows = windows
        .replace("TABLE s", "TABLE m")
        .replace("INTO windows", "INTO third");
    let told = script(
        &[&tables, &third, batch, passed_on, &windows].concat(),
        &[],
        0,
    );
    assert_eq!(case.lines("third"), ["{\"n\":1}", "{\"n\":1}", "{\"n\":3}"]);
    assert!(!told.contains("late"), "{told}");
    // As a stream it is refused.
    assert!(script(&[&tables, counts].concat(), &[], 2).contains("counts"));
    let endless = "SET 'execution.runtime-mode' = 'batch';
        CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'json',
            'properties.bootstrap.servers' = 'localhost:1', 'scan.startup.mode' = 'earliest-offset');
        SELECT COUNT(*) FROM t;";
    let told = script(endless, &[], 2);
    assert!(
        told.contains("never ends") && told.contains("scan.bounded.mode"),
        "{told}"
    );
}

#[test]
fn duplicate_changes_of_a_keyed_table_count_once() {
    let case = Case::new();
    let event = "{\"before\":null,\"after\":{\"a\":1,\"b\":5},\"op\":\"c\"}\n";
    let update = "{\"before\":{\"a\":1,\"b\":5},\"after\":{\"a\":1,\"b\":7},\"op\":\"u\"}\n";
    case.file("in/x.json", &[event, event, update, update].concat());
    let table = case.table(
        "t",
        "a INT, b INT, PRIMARY KEY (a) NOT ENFORCED",
        "in",
        "'format' = 'debezium-json'",
    );
    let set = "SET 'table.exec.source.cdc-events-duplicate' = 'true';\nSET 'execution.runtime-mode' = 'batch';\n";
    let text = [set, &table, "SELECT SUM(b) AS n FROM t;"].concat();
    let found = rows(&flowline(&["run", "-", "--output", "jsonl"], &text));
    assert_eq!(found, ["{\"op\":\"+I\",\"row\":{\"n\":7}}"]);
}

#[test]
fn overflow_wraps_around_unless_a_statement_asks_for_an_error() {
    let sums = "SELECT 2147483647 + a AS s, CAST(3000000000 + a AS INT) AS c FROM (VALUES (1)) AS t (a);\n";
    let found = rows(&flowline(&["run", "-", "--output", "jsonl"], sums));
    assert_eq!(
        found,
        ["{\"op\":\"+I\",\"row\":{\"s\":-2147483648,\"c\":-1294967295}}"]
    );
    let checked = "SET 'flowline.arithmetic.overflow' = 'error';\n";
    let told = script(
        &[
            checked,
            "SELECT 2147483647 + a AS s FROM (VALUES (1)) AS t (a);",
        ]
        .concat(),
        &[],
        1,
    );
    assert!(
        told.contains("2147483647") && told.contains(":2:1"),
        "{told}"
    );
    // Only where it stands: a statement after RESET wraps around again.
    let reset = "RESET 'flowline.arithmetic.overflow';\n";
    let found = rows(&flowline(
        &["run", "-", "--output", "jsonl"],
        &[checked, reset, sums].concat(),
    ));
    assert_eq!(found.len(), 1);
}

#[test]
fn an_error_at_run_time_says_which_statement_and_shows_the_row() {
    let case = Case::new();
    case.file(
        "in/x.json",
        "{\"a\":1,\"s\":\"7\"}\n{\"a\":2,\"s\":\"bad\"}\n",
    );
    let table = case.table("t", "a INT, s STRING", "in", "'format' = 'json'");
    let told = script(
        &[&table, "\nSELECT a,\n  CAST(s AS INT) AS n FROM t;"].concat(),
        &[],
        1,
    );
    for part in [
        ":3:1",
        "'bad' cannot be cast to INT",
        "{\"a\":2,\"s\":\"bad\"}",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn snapshot_queries_know_windows() {
    let case = Case::new();
    let rows_in = [("1", "00:00:01"), ("2", "00:00:31"), ("4", "00:01:31")];
    let lines = rows_in.map(|(v, t)| format!("{{\"v\":{v},\"ts\":\"2026-01-01 {t}\"}}\n"));
    case.file("in/x.json", &lines.concat());
    let table = case.table(
        "e",
        "v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts",
        "in",
        "'format' = 'json'",
    );
    let by = |window: &str| {
        let query = format!(
            "{table}\nSELECT window_end AS w, SUM(v) AS s FROM TABLE({window}) GROUP BY window_start, window_end ORDER BY w;"
        );
        rows(&flowline(&["query", "-"], &query))
    };
    assert_eq!(
        by("TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)"),
        [
            "{\"w\":\"2026-01-01 00:01:00\",\"s\":3}",
            "{\"w\":\"2026-01-01 00:02:00\",\"s\":4}"
        ]
    );
    assert_eq!(
        by("HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)"),
        [
            "{\"w\":\"2026-01-01 00:01:00\",\"s\":3}",
            "{\"w\":\"2026-01-01 00:02:00\",\"s\":7}",
            "{\"w\":\"2026-01-01 00:03:00\",\"s\":4}"
        ]
    );
}

#[test]
fn what_is_huge_or_nested_gets_an_answer_or_an_error() {
    let nested =
        |open: &str, close: &str| format!("SELECT {}1{};", open.repeat(500), close.repeat(500));
    for text in [
        nested("(", ")"),
        nested("CASE WHEN TRUE THEN ", " END"),
        nested("NOT ", ""),
        nested("(SELECT ", ")"),
        format!("SELECT {};", vec!["1"; 20_000].join(" + ")),
    ] {
        let told = script(&text, &[], 2);
        assert!(
            told.contains("nested") || told.contains("operators"),
            "{told}"
        );
    }
    // Each NULLIF has its first part twice.
    let doubled = format!(
        "SELECT {}a{} FROM (VALUES (1)) AS v (a);",
        "NULLIF(".repeat(20),
        ", 1)".repeat(20)
    );
    assert!(script(&doubled, &[], 2).contains("the expression becomes too large: NULLIF"));
    let unions = vec!["SELECT 1 AS a"; 1000].join(" UNION ALL ") + ";";
    let found = rows(&flowline(&["run", "-", "--output", "jsonl"], &unions));
    assert_eq!(found.len(), 1000);
    let many: Vec<String> = (0..5000).map(|i| format!("{i} AS c{i}")).collect();
    let wide = format!("SELECT {};", many.join(", "));
    assert_eq!(
        rows(&flowline(&["run", "-", "--output", "jsonl"], &wide)).len(),
        1
    );
    // Views over views that mention a column several times each.
    let mut views = "CREATE VIEW w0 AS SELECT id AS x FROM (VALUES (1)) AS v (id);\n".to_string();
    for i in 1..40 {
        views += &format!(
            "CREATE VIEW w{i} AS SELECT CASE WHEN x > {i} THEN x + 1 WHEN x < 3 THEN x - 1 ELSE x END AS x FROM w{};\n",
            i - 1
        );
    }
    let text = views + "SELECT x FROM w39 WHERE x < 2;";
    let found = rows(&flowline(&["run", "-", "--output", "jsonl"], &text));
    assert_eq!(found.len(), 1);
    assert!(said(&flowline(&["explain", "-"], &text)).is_empty());
    // A row that would be in a window for each millisecond of a day.
    for window in ["HOP", "CUMULATE"] {
        let counted = |step: &str| {
            format!(
                "CREATE TABLE e (ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
                 SELECT COUNT(*) FROM {window}(TABLE e, DESCRIPTOR(ts), INTERVAL {step} SECOND, INTERVAL '1' DAY)
                   GROUP BY window_start, window_end;"
            )
        };
        let told = script(&counted("'0.001'"), &[], 2);
        assert!(told.contains("into up to 86400000 windows"), "{told}");
        rows(&flowline(&["explain", "-"], &counted("'1'")));
    }
    // A view that has come to read itself.
    let circle = "CREATE VIEW b AS SELECT 1 AS x;\nCREATE VIEW a AS SELECT * FROM b;\nDROP VIEW b;\n\
        CREATE VIEW b AS SELECT * FROM a;\nSELECT * FROM a;\n";
    assert!(script(circle, &[], 2).contains("'b' not found"));
}

/// What never ran has read nothing, and nobody needs to be told how much that is.
#[test]
fn a_job_that_cannot_start_says_nothing_of_what_it_has_read() {
    let case = Case::new();
    let here = case.table("here", "a INT", "here.jsonl", "'format' = 'json'");
    let gone = case.table("gone", "a INT", "gone.jsonl", "'format' = 'json'");
    case.file("here.jsonl", "{\"a\":1}\n");
    let sql = format!("{here}{gone} SELECT a FROM here; SELECT a FROM gone;");
    let said = script(&sql, &[], 3);
    assert!(said.contains("there is no such file"), "{said}");
    assert!(!said.contains("read  "), "{said}");
    assert!(!said.contains("written  "), "{said}");
    case.file("gone.jsonl", "");
    let said = script(&sql, &[], 0);
    assert!(said.contains("read     gone: 0 rows"), "{said}");
}

#[test]
fn check_finds_what_cannot_be_read() {
    let text = "CREATE TABLE p (id INT) WITH ('connector' = 'print');\nSELECT * FROM p;";
    let output = flowline(&["check", "-"], text);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("cannot be read"),
        "{}",
        said(&output)
    );
}

/// A pager that was closed, a log collector that died: the job goes on, and its rows are whole.
#[test]
fn a_stderr_that_nobody_reads_ends_nothing() {
    let case = Case::new();
    case.file("in.json", "{\"a\": 1}\n?\n{\"a\": 2}\n");
    let text = case.table(
        "t",
        "a INT",
        "in.json",
        "'format' = 'json', 'json.ignore-parse-errors' = 'true'",
    ) + "SET 'rest.port' = '1'; SELECT * FROM t;";
    let mut child = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(["run", "-", "--output", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let rows = String::from_utf8_lossy(&output.stdout);
    assert_eq!(rows.lines().count(), 2, "{rows}");
}
