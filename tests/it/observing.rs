//! What a server tells of its jobs: system tables, the page for Prometheus with its dashboard, and why a table has no rows.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowline::connectors::kafka::EmbeddedBroker;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::server::Server;

/// Rows with these times into a partition of `events`.
fn produce(broker: &EmbeddedBroker, partition: i32, times: &[&str]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .create()
        .unwrap();
    for time in times {
        let payload = format!(r#"{{"n":1,"ts":"{time}"}}"#);
        let record = BaseRecord::<(), str>::to("events").partition(partition);
        producer.send(record.payload(&payload)).unwrap();
    }
    producer.flush(Duration::from_secs(10)).unwrap();
}

/// A broker with a topic of two partitions, and a server with a job `counts` that counts its rows by minutes.
fn counting() -> (EmbeddedBroker, Server) {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("events", 2).unwrap();
    let server = Server::start();
    let sql = format!(
        "CREATE TABLE events (n BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH (
           'connector' = 'kafka', 'topic' = 'events', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset',
           'properties.bootstrap.servers' = '{}');
         CREATE TABLE minutes (s TIMESTAMP(3), c BIGINT);
         INSERT INTO minutes SELECT window_start, COUNT(*)
           FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) WHERE n > 0
           GROUP BY window_start, window_end;",
        broker.bootstrap_servers()
    );
    submit(&server, "counts", &sql);
    (broker, server)
}

fn submit(server: &Server, name: &str, sql: &str) {
    let file = format!("{name}.sql");
    std::fs::write(server.path().join(&file), sql).unwrap();
    server.done(&["submit", &file]);
}

/// Asks why until the answer says all of this.
fn explains(server: &Server, what: &str, expected: &[&str]) -> String {
    let begun = Instant::now();
    loop {
        let said = server.done(&["why", what]);
        if expected.iter().all(|part| said.contains(part)) {
            return said;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{said}: not all of {expected:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_partition_without_rows_holds_back_the_watermark() {
    let (broker, server) = counting();
    let none = "no row of events has been read yet";
    for what in ["counts", "minutes", "counts.minutes", "events"] {
        explains(&server, what, &["job 'counts' is running", none]);
    }
    produce(&broker, 0, &["2026-01-01 00:00:10", "2026-01-01 00:02:00"]);
    let said = explains(
        &server,
        "minutes",
        &[
            "partition 'events-1' holds back the watermark of events since 20",
            "it has had no row yet, the furthest one at 2026-01-01 00:01:55.000",
            "2 rows read",
            "2 partitions, read to their ends",
            "it waits for a first watermark",
            "ts - INTERVAL '5' SECOND",
        ],
    );
    assert!(
        said.starts_with("job 'counts' is running: partition 'events-1'"),
        "{said}"
    );
    let held =
        "SELECT `partition`, held_back_since IS NOT NULL AS held, `watermark` IS NULL AS none_yet
                FROM flowline.`watermarks` ORDER BY `partition`";
    server.comes_to(
        held,
        "{\"partition\":\"events-0\",\"held\":false,\"none_yet\":false}\n\
         {\"partition\":\"events-1\",\"held\":true,\"none_yet\":true}",
    );

    // A row moves it on; the window after the one that is complete is told of.
    produce(&broker, 1, &["2026-01-01 00:01:30"]);
    server.comes_to("SELECT c FROM minutes", r#"{"c":1}"#);
    explains(
        &server,
        "minutes",
        &[
            "the window from 2026-01-01 00:01:00.000 to 2026-01-01 00:02:00.000 is the next to close",
            "it stands at 2026-01-01 00:01:25.000",
            "1 row written",
        ],
    );

    server.comes_to(
        "SELECT topic, `partition`, `position`, end_offset, `lag` FROM flowline.kafka_lag ORDER BY `partition`",
        "{\"topic\":\"events\",\"partition\":0,\"position\":2,\"end_offset\":2,\"lag\":0}\n\
         {\"topic\":\"events\",\"partition\":1,\"position\":1,\"end_offset\":1,\"lag\":0}",
    );
    server.comes_to(
        "SELECT rows_in, rows_out, busy_ms > 0 AS busy, CAST(`watermark` AS STRING) AS w FROM flowline.operators
         WHERE kind = 'GlobalWindowAggregate' OR kind = 'WindowAggregate'",
        r#"{"rows_in":3,"rows_out":1,"busy":true,"w":"2026-01-01 00:01:25.000"}"#,
    );
    server.comes_to(
        "SELECT `table`, connector, rows_out FROM flowline.sinks",
        r#"{"table":"minutes","connector":null,"rows_out":1}"#,
    );
    server.comes_to(
        "SELECT finished > TIMESTAMP '2026-01-01 00:00:00' AS f, completed > 0 AS c FROM flowline.checkpoints",
        r#"{"f":true,"c":true}"#,
    );
    let (code, said) = server.refused(&["why", "minuets"]);
    assert_eq!(code, 2);
    assert!(said.contains("did you mean 'minutes'?"), "{said}");
}

/// The names of all metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("flowline_") {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = text[at..].split(|c| !is_name(c)).next().unwrap();
        names.insert(name.to_string());
    }
    names
}

#[test]
fn the_dashboard_names_metrics_that_are_on_the_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/flowline.json");
    let dashboard: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let shown: BTreeSet<String> = targets
        .flatten()
        .flat_map(|target| names(target["expr"].as_str().unwrap()))
        .collect();
    assert!(shown.len() > 20, "{shown:?}");

    let (broker, server) = counting();
    produce(&broker, 0, &["2026-01-01 00:00:10", "2026-01-01 00:02:00"]);
    produce(&broker, 1, &["2026-01-01 00:01:30"]);
    server.comes_to("SELECT c FROM minutes", r#"{"c":1}"#);
    let page = server.http("/metrics");
    let (head, page) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    for name in &shown {
        assert!(page.contains(&format!("\n{name}{{")), "{name}: {page}");
    }
    // And every metric is on the dashboard.
    let there = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for line in there {
        let name = line.split(' ').next().unwrap();
        assert!(shown.contains(name), "{name} is not on the dashboard");
    }
    for line in [
        "flowline_jobs{state=\"RUNNING\"} 1",
        "flowline_source_rows_total{job=\"counts\",table=\"events\"} 3",
        "flowline_kafka_lag_records{job=\"counts\",partition=\"1\",table=\"events\",topic=\"events\"} 0",
    ] {
        assert!(page.lines().any(|there| there == line), "{line}: {page}");
    }
    check(page);
}

/// Has Prometheus' own tool check a page, where it is installed.
fn check(page: &str) {
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = spawned else {
        return;
    };
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(page.as_bytes()).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn rows_that_are_late_or_left_out_are_told_of() {
    let server = Server::start();
    let sql = "
        CREATE TABLE numbers (n BIGINT, ts AS TO_TIMESTAMP_LTZ(n * 1000, 3), WATERMARK FOR ts AS ts) WITH (
          'connector' = 'filesystem', 'path' = 'in', 'format' = 'json', 'source.monitor-interval' = '50 ms');
        CREATE TABLE minutes (s TIMESTAMP_LTZ(3), c BIGINT);
        CREATE TABLE huge (n BIGINT);
        INSERT INTO minutes SELECT window_start, COUNT(*)
          FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
        INSERT INTO huge SELECT n FROM numbers WHERE n > 1000000000;";
    server.feed("0.json", 100_000..100_001);
    submit(&server, "windows", sql);
    server.comes_to("SELECT rows_in FROM flowline.jobs", r#"{"rows_in":1}"#);
    // The order in which a partition's rows come decides: descending, all but the first are late.
    let rows: String = (1..21)
        .map(|n| format!("{{\"n\":{}}}\n", if n == 1 { 200_000 } else { 10 }))
        .collect();
    std::fs::write(server.path().join("in/.1.json"), rows).unwrap();
    std::fs::rename(
        server.path().join("in/.1.json"),
        server.path().join("in/1.json"),
    )
    .unwrap();
    let said = explains(&server, "minutes", &["19 of ", "because they were late"]);
    assert!(said.lines().next().unwrap().contains("19 of "), "{said}");
    server.comes_to(
        "SELECT job, COUNT(*) AS c, MAX(CAST(reason LIKE '%window%' AS INT)) AS w FROM flowline.late_rows GROUP BY job",
        r#"{"job":"windows","c":19,"w":1}"#,
    );
    let said = explains(
        &server,
        "huge",
        &["has left out all 21 rows", "n > 1000000000"],
    );
    assert!(!said.contains("late"), "{said}");
}

#[test]
fn rows_that_were_left_out_are_a_table() {
    let server = Server::start();
    let sql = "
        CREATE TABLE numbers (n BIGINT) WITH (
          'connector' = 'filesystem', 'path' = 'in', 'format' = 'json', 'json.ignore-parse-errors' = 'true',
          'source.monitor-interval' = '50 ms');
        CREATE TABLE kept (n BIGINT);
        INSERT INTO kept SELECT n FROM numbers;";
    std::fs::create_dir_all(server.path().join("in")).unwrap();
    let lines = "{\"n\":1}\n{\"n\":\"one\"}\nno json\n";
    std::fs::write(server.path().join("in/a.json"), lines).unwrap();
    submit(&server, "lenient", sql);
    server.comes_to("SELECT COUNT(*) AS c FROM kept", r#"{"c":2}"#);
    server.comes_to(
        "SELECT job, `table`, field FROM flowline.bad_rows WHERE field IS NOT NULL",
        r#"{"job":"lenient","table":"numbers","field":"n"}"#,
    );
    let places = server.query("SELECT place FROM flowline.bad_rows");
    assert!(
        places.contains("a.json") && places.lines().count() == 2,
        "{places}"
    );
}

#[test]
fn a_job_that_has_failed_or_was_stopped_says_so() {
    let server = Server::start();
    server.feed("0.json", 1..3);
    let sql = "
        CREATE TABLE numbers (n BIGINT) WITH (
          'connector' = 'filesystem', 'path' = 'in', 'format' = 'json', 'source.monitor-interval' = '50 ms');
        CREATE TABLE inverse (i BIGINT);
        INSERT INTO inverse SELECT 10 / n FROM numbers;";
    submit(&server, "inverse-job", sql);
    server.feed("1.json", 0..1);
    explains(
        &server,
        "inverse",
        &["job 'inverse-job' is failed: it has failed: ", "zero"],
    );
    submit(&server, "fine", &sql.replace("10 / n", "10 + n"));
    server.done(&["stop", "fine"]);
    explains(
        &server,
        "fine",
        &["job 'fine' is stopped: it is stopped: 'flowline restart fine'"],
    );
}
