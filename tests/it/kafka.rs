//! Kafka, with a broker of Apache's: the binary reads and writes topics that another client writes and reads.
#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::broker::{Broker, Case, TABLE, client, column, eventually, numbers, rows_of, stop};

#[test]
fn what_is_produced_is_read_and_written_back() {
    let case = Case::new("roundtrip", 3);
    let out = Case::new("roundtrip_out", 2);
    let records: Vec<Value> = (0..2000)
        .map(|i| json!({"key": format!("{i}"), "value": {"a": i, "b": format!("ü{i}")}}))
        .collect();
    case.produce(&records);
    let sql = format!(
        "{TABLE}, 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
         CREATE TABLE o (a INT, c STRING) WITH ('connector' = 'kafka', 'topic' = '{}',
           'properties.bootstrap.servers' = 'elsewhere:1', 'format' = 'json', 'key.format' = 'raw', 'key.fields' = 'c');
         INSERT INTO o SELECT a, b || '!' FROM t WHERE a >= 1000;",
        out.topic
    );
    let output = case.run(&sql, &["--parallelism", "2"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut written = out.consume(&out.topic);
    written.sort_by_key(|record| record["value"]["a"].as_i64());
    assert_eq!(written.len(), 1000);
    for (record, i) in written.iter().zip(1000..) {
        assert_eq!(record["value"], json!({"a": i, "c": format!("ü{i}!")}));
        assert_eq!(record["key"], format!("ü{i}!"));
    }
    assert!(
        written.iter().any(|r| r["partition"] == 0) && written.iter().any(|r| r["partition"] == 1)
    );
}

#[test]
fn startup_and_bounded_modes() {
    let case = Case::new("modes", 2);
    case.produce(&numbers(0..10));
    client(
        &case.bootstrap,
        &["commit", &case.topic, "modes", "2", "4"],
        "",
    );
    let read = |options: &str| {
        column(
            &case.rows(&format!("{TABLE}, {options}); SELECT a FROM t;"), &[]),
            "a",
        )
    };
    let start = |mode: &str| {
        read(&format!(
            "'scan.bounded.mode' = 'latest-offset', 'scan.startup.mode' = {mode}"
        ))
    };
    assert_eq!(start("'earliest-offset'"), (0..10).collect::<Vec<_>>());
    assert_eq!(start("'latest-offset'"), [0; 0]);
    assert_eq!(
        start("'timestamp', 'scan.startup.timestamp-millis' = '1650'"),
        [7, 8, 9]
    );
    // Odd numbers are in partition 1; a partition that is not named is read from its beginning.
    assert_eq!(
        start("'specific-offsets', 'scan.startup.specific-offsets' = 'partition:1,offset:4'"),
        [0, 2, 4, 6, 8, 9]
    );
    assert_eq!(
        start("'group-offsets', 'properties.group.id' = 'modes'"),
        [4, 6, 8, 9]
    );
    assert_eq!(
        start("'group-offsets', 'properties.group.id' = 'nobody', 'properties.auto.offset.reset' = 'earliest'").len(),
        10
    );
    let end = |mode: &str| {
        read(&format!(
            "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = {mode}"
        ))
    };
    assert_eq!(
        end("'timestamp', 'scan.bounded.timestamp-millis' = '1300'"),
        [0, 1, 2]
    );
    assert_eq!(
        end(
            "'specific-offsets', 'scan.bounded.specific-offsets' = 'partition:0,offset:1;partition:1,offset:2'"
        ),
        [0, 1, 3]
    );
    assert_eq!(
        end("'group-offsets', 'properties.group.id' = 'modes'"),
        [0, 1, 2, 3, 5, 7]
    );
}

#[test]
fn a_job_without_end_reads_what_comes() {
    let case = Case::new("live", 2);
    let out = Case::new("live_out", 1);
    case.produce(&numbers(0..5));
    let sql = format!(
        "{TABLE}, 'scan.startup.mode' = 'latest-offset');
         CREATE TABLE o (a INT) WITH ('connector' = 'kafka', 'topic' = '{}', 'format' = 'json',
           'properties.bootstrap.servers' = 'elsewhere:1');
         INSERT INTO o SELECT a FROM t;",
        out.topic
    );
    let job = case.start(&sql, &[]);
    // "Latest" is when the job begins to read, which cannot be seen from here: numbers go on until some arrive.
    let mut next = 100;
    eventually("rows arrive", 120, || {
        case.produce(&numbers(next..next + 1));
        next += 1;
        !out.consume(&out.topic).is_empty()
    });
    case.produce(&numbers(1000..1010));
    eventually("all rows arrive", 120, || {
        out.consume(&out.topic)
            .iter()
            .filter(|r| r["value"]["a"].as_i64() >= Some(1000))
            .count()
            == 10
    });
    stop(job);
    assert!(
        out.consume(&out.topic)
            .iter()
            .all(|r| r["value"]["a"].as_i64() >= Some(100))
    );
}

#[test]
fn a_broker_that_restarts_loses_nothing() {
    let broker = Broker::start();
    let case = Case::on(&broker, "restart", 2);
    let out = Case::on(&broker, "restart_out", 2);
    let sql = format!(
        "{TABLE}, 'scan.startup.mode' = 'earliest-offset');
         CREATE TABLE o (a INT) WITH ('connector' = 'kafka', 'topic' = '{}', 'format' = 'json',
           'properties.bootstrap.servers' = 'elsewhere:1');
         INSERT INTO o SELECT a FROM t;",
        out.topic
    );
    let written = || {
        column(
            &out.consume(&out.topic)
                .iter()
                .map(|r| r["value"].clone())
                .collect::<Vec<_>>(),
            "a",
        )
    };
    case.produce(&numbers(0..500));
    let job = case.start(&sql, &[]);
    eventually("the first rows arrive", 120, || written().len() == 500);
    broker.command("restart");
    case.produce(&numbers(500..1000));
    eventually("the rows after the restart arrive", 180, || {
        written().len() >= 1000
    });
    stop(job);
    assert_eq!(written(), (0..1000).collect::<Vec<_>>());
    broker.command("stop");
    std::fs::remove_dir_all(&broker.dir).unwrap();
}

#[test]
fn what_is_missing_is_named() {
    let case = Case::new("missing", 1);
    let source = |options: &str| {
        format!("{TABLE}, 'scan.startup.mode' = 'earliest-offset'{options}); SELECT * FROM t;")
    };
    let near = format!("{}s", case.topic);
    let said = case.fails(&source("").replace("$topic", &near), 3);
    assert!(
        said.contains(&format!("there is no topic '{near}' at {}", case.bootstrap)),
        "{said}"
    );
    assert!(
        said.contains(&format!("did you mean '{}'?", case.topic)),
        "{said}"
    );
    let sink =
        format!("{TABLE}); INSERT INTO t VALUES (CAST(1 AS INT), 'x');").replace("$topic", &near);
    // The topic of a sink is created.
    assert!(case.run(&sink, &[]).status.success());
    let said = case.fails(&source(", 'scan.startup.mod' = 'x'"), 2);
    assert!(said.contains("did you mean 'scan.startup.mode'?"), "{said}");
    case.produce(&[json!({"value": {"a": "no number", "b": "x"}})]);
    let said = case.fails(&source(", 'scan.bounded.mode' = 'latest-offset'"), 1);
    assert!(
        said.contains(&format!(
            "topic '{}' partition 0 offset 0: field 'a': ",
            case.topic
        )),
        "{said}"
    );
}

#[test]
fn an_unreachable_broker_is_named() {
    let nowhere = || Case {
        bootstrap: "127.0.0.1:1".to_string(),
        topic: "any".to_string(),
        dir: tempfile::tempdir().unwrap(),
    };
    let begun = Instant::now();
    let source = format!("{TABLE}, 'scan.startup.mode' = 'earliest-offset'); SELECT * FROM t;");
    let sink = format!("{TABLE}); INSERT INTO t VALUES (CAST(1 AS INT), 'x');");
    let jobs = [source, sink].map(|sql| std::thread::spawn(move || nowhere().fails(&sql, 3)));
    for job in jobs {
        let said = job.join().unwrap();
        assert!(
            said.contains("no Kafka broker answers at 127.0.0.1:1"),
            "{said}"
        );
        assert!(said.contains("is the broker running"), "{said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(25));
}

#[test]
fn keys_metadata_and_headers() {
    let case = Case::new("meta", 2);
    let out = Case::new("meta_out", 1);
    case.produce(&[
        json!({"key": "{\"id\":7}", "value": {"b": "x"}, "timestamp": 1_736_899_200_123_i64, "partition": 1,
               "headers": {"h": "v", "n": null}}),
        json!({"key": "{\"id\":8}", "value": null, "partition": 1}),
        json!({"key": "{\"id\":9}", "value": {"b": null}, "timestamp": 5, "partition": 1}),
    ]);
    let columns = "k_id BIGINT, b STRING, `timestamp` TIMESTAMP_LTZ(3) METADATA, headers MAP<STRING, BYTES> METADATA, \
        p INT METADATA FROM 'partition' VIRTUAL, `offset` BIGINT METADATA VIRTUAL, topic STRING METADATA VIRTUAL, \
        kind STRING METADATA FROM 'timestamp-type' VIRTUAL";
    let options = "'connector' = 'kafka', 'properties.bootstrap.servers' = 'elsewhere:1', 'key.format' = 'json', \
        'key.fields' = 'k_id', 'key.fields-prefix' = 'k_', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY'";
    let source = format!(
        "CREATE TABLE t ({columns}) WITH ({options}, 'topic' = '$topic', 'scan.startup.mode' = 'earliest-offset', \
         'scan.bounded.mode' = 'latest-offset');"
    );
    let rows = case.rows(&format!("{source} SELECT k_id, b, `timestamp`, CAST(headers['h'] AS STRING) AS h, p, `offset`, topic, kind FROM t;"), &[]);
    let topic = &case.topic;
    let expected = [
        json!({"k_id": 7, "b": "x", "timestamp": "2025-01-15 00:00:00.123Z", "h": "v", "p": 1, "offset": 0, "topic": topic, "kind": "CreateTime"}),
        json!({"k_id": 9, "b": null, "timestamp": "1970-01-01 00:00:00.005Z", "h": null, "p": 1, "offset": 2, "topic": topic, "kind": "CreateTime"}),
    ];
    assert_eq!(rows, expected);
    let sql = format!(
        "{source} CREATE TABLE o ({columns}) WITH ({options}, 'topic' = '{}');
         INSERT INTO o SELECT k_id, b, `timestamp`, headers FROM t;",
        out.topic
    );
    let output = case.run(&sql, &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let written = out.consume(&out.topic);
    assert_eq!(written.len(), 2);
    assert_eq!(written[0]["key"], json!({"id": 7}));
    assert_eq!(written[0]["value"], json!({"b": "x"}));
    assert_eq!(written[0]["timestamp"], 1_736_899_200_123_i64);
    assert_eq!(written[0]["headers"], json!({"h": "v", "n": null}));
}

#[test]
fn upserts_keep_one_record_a_key_and_tombstones() {
    let case = Case::new("upsert", 1);
    let out = Case::new("upsert_out", 3);
    let values = [("a", 1), ("b", 1), ("a", 2), ("c", 5), ("b", -1)];
    case.produce(&values.map(|(k, v)| json!({"value": {"b": k, "a": v}})));
    let sql = format!(
        "{TABLE}, 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
         CREATE TABLE o (b STRING, s INT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = '{}',
           'properties.bootstrap.servers' = 'elsewhere:1', 'key.format' = 'json', 'value.format' = 'json');
         INSERT INTO o SELECT b, SUM(a) FROM t GROUP BY b HAVING SUM(a) > 0;",
        out.topic
    );
    let output = case.run(&sql, &["--batch-rows", "1"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let records = out.consume(&out.topic);
    let mut latest = std::collections::BTreeMap::new();
    for record in &records {
        latest.insert(record["key"].to_string(), record["value"].clone());
    }
    let latest: Vec<(String, Value)> = latest.into_iter().collect();
    assert_eq!(
        latest,
        [
            ("{\"b\":\"a\"}".to_string(), json!({"b": "a", "s": 3})),
            ("{\"b\":\"b\"}".to_string(), Value::Null),
            ("{\"b\":\"c\"}".to_string(), json!({"b": "c", "s": 5})),
        ]
    );
    // Keys are where Java's client would put them.
    for record in &records {
        assert_eq!(
            record["partition"],
            client(
                &out.bootstrap,
                &["partition", &record["key"].to_string(), "3"],
                ""
            )
            .trim()
            .parse::<i64>()
            .unwrap()
        );
    }
}

/// The rows left once the changes that `--output jsonl` shows are applied, sorted.
fn folded(case: &Case, sql: &str) -> Vec<String> {
    let output = case.run(sql, &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut rows: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let change: Value = serde_json::from_str(line).unwrap();
        let row = change["row"].to_string();
        match change["op"].as_str() {
            None | Some("+I" | "+U") => rows.push(row),
            _ => {
                let at = rows.iter().position(|r| *r == row);
                rows.remove(at.expect("only what is there is retracted"));
            }
        }
    }
    rows.sort();
    rows
}

#[test]
fn an_upsert_topic_is_read_as_a_changelog() {
    let case = Case::new("upsert_source", 3);
    let record = |k: &str, v: Value| json!({"key": json!({"b": k}).to_string(), "value": v});
    let row = |k: &str, a: i64| record(k, json!({"b": k, "a": a}));
    case.produce(&[
        row("x", 1),
        row("y", 5),
        row("x", 2),
        record("y", Value::Null),
        row("z", 7),
        record("w", Value::Null),
    ]);
    let table = "CREATE TABLE t (a INT, b STRING, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = '$topic',
           'properties.bootstrap.servers' = 'elsewhere:1', 'key.format' = 'json', 'value.format' = 'json',
           'scan.bounded.mode' = 'latest-offset');";
    let rows = folded(&case, &format!("{table} SELECT b, a FROM t;"));
    assert_eq!(
        rows,
        [
            json!({"b": "x", "a": 2}).to_string(),
            json!({"b": "z", "a": 7}).to_string()
        ]
    );
    let totals = folded(
        &case,
        &format!("{table} SELECT COUNT(*) AS n, SUM(a) AS s, MAX(a) AS m FROM t;"),
    );
    assert_eq!(totals, [json!({"n": 2, "s": 9, "m": 7}).to_string()]);
}

#[test]
fn debezium_events_are_read_and_written() {
    let case = Case::new("debezium", 1);
    let out = Case::new("debezium_out", 1);
    let event = |op: &str, before: Value, after: Value| json!({"value": {"before": before, "after": after, "op": op}});
    let row = |k: &str, a: i64| json!({"b": k, "a": a});
    case.produce(&[
        event("c", Value::Null, row("x", 1)),
        event("c", Value::Null, row("y", 5)),
        event("u", row("x", 1), row("x", 2)),
        event("d", row("y", 5), Value::Null),
        json!({"value": null}),
    ]);
    let sql = format!(
        "CREATE TABLE t (a INT, b STRING) WITH ('connector' = 'kafka', 'topic' = '$topic', 'properties.bootstrap.servers' = 'elsewhere:1',
           'format' = 'debezium-json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
         CREATE TABLE o (b STRING, s INT) WITH ('connector' = 'kafka', 'topic' = '{}', 'properties.bootstrap.servers' = 'elsewhere:1',
           'format' = 'debezium-json');
         INSERT INTO o SELECT b, SUM(a) FROM t GROUP BY b;",
        out.topic
    );
    let output = case.run(&sql, &["--batch-rows", "1"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut there: Vec<String> = Vec::new();
    for record in out.consume(&out.topic) {
        let value = &record["value"];
        match value["op"].as_str() {
            Some("c") => there.push(value["after"].to_string()),
            _ => {
                let before = value["before"].to_string();
                let at = there.iter().position(|r| *r == before);
                there.remove(at.expect("only what is there is deleted"));
            }
        }
    }
    assert_eq!(there, [json!({"b": "x", "s": 2}).to_string()]);
}

/// Ten events a minute give results although nothing comes after them.
#[test]
fn a_quiet_topic_closes_its_windows_by_the_clock() {
    let case = Case::new("quiet", 3);
    let event = |second: i64| json!({"value": {"b": "x", "ts": format!("2026-01-01 00:00:{second:02}")}, "partition": 0});
    case.produce(&[event(0), event(1), event(5)]);
    let sql = "SET 'flowline.watermark.quiet-advance' = '200 ms';
        CREATE TABLE t (b STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('connector' = 'kafka',
          'topic' = '$topic', 'properties.bootstrap.servers' = 'elsewhere:1', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
        SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end;";
    let mut child = case.command(sql, &[]).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let (lines, seen) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        use std::io::BufRead as _;
        for line in std::io::BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
        {
            let _ = lines.send(line);
        }
    });
    let next = || {
        rows_of(
            seen.recv_timeout(Duration::from_secs(30))
                .expect("a window closes")
                .as_bytes(),
        )
    };
    assert!(next()[0].to_string().contains("\"n\":2"));
    assert!(next()[0].to_string().contains("2026-01-01 00:00:04"));
    stop(child);
}

/// A record that cannot be a row is told with its place, kept or passed over, like any other.
#[test]
fn a_record_without_a_key_is_no_row_of_an_upsert_table() {
    let case = Case::new("keyless", 1);
    let row = |key: Value, n: i64| {
        let mut record = json!({"value": {"k": "a", "n": n}});
        if !key.is_null() {
            record["key"] = key;
        }
        record
    };
    let key = json!("{\"k\":\"a\"}");
    case.produce(&[row(key.clone(), 1), row(Value::Null, 2), row(key, 3)]);
    let sql = |options: &str| {
        format!(
            "CREATE TABLE t (k STRING, n INT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = '$topic',
               'properties.bootstrap.servers' = 'elsewhere:1', 'key.format' = 'json', 'value.format' = 'json',
               'scan.bounded.mode' = 'latest-offset'{options});
             SELECT n FROM t;"
        )
    };
    let said = case.fails(&sql(""), 1);
    let place = format!(
        "topic '{}' partition 0 offset 1: the record has no key",
        case.topic
    );
    assert!(said.contains(&place), "{said}");
    let passed_over = case.rows(&sql(", 'key.json.ignore-parse-errors' = 'true'"), &[]);
    assert_eq!(passed_over.last().unwrap()["n"], 3);
    let kept = case.run(
        &sql(&format!(", 'bad-rows.topic' = '{}_bad'", case.topic)),
        &[],
    );
    assert!(
        kept.status.success(),
        "{}",
        String::from_utf8_lossy(&kept.stderr)
    );
    let bad = case.consume(&format!("{}_bad", case.topic));
    assert_eq!(bad[0]["value"]["n"], 2);
    assert_eq!(bad[0]["headers"]["flowline.source_position"], "1");
}

#[test]
fn a_bad_record_as_long_as_brokers_allow_is_kept() {
    let case = Case::new("long", 1);
    let long = "x".repeat(990_000);
    case.produce(&[json!({"value": long}), json!({"value": {"a": 1, "b": "x"}})]);
    let bad = format!("{}_bad", case.topic);
    let sql = format!(
        "{TABLE}, 'scan.startup.mode' = 'earliest-offset', 'bad-rows.topic' = '{bad}'); SELECT a FROM t;"
    );
    assert_eq!(column(&case.rows(&sql, &["--bounded"]), "a"), [1]);
    assert_eq!(case.consume(&bad)[0]["value"], long);
}

#[test]
fn a_topic_is_made_as_its_table_says() {
    let case = Case::new("made", 1);
    let (one, other) = (
        format!("{}_upsert", case.topic),
        format!("{}_append", case.topic),
    );
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    let sql = format!(
        "{TABLE}, 'scan.startup.mode' = 'earliest-offset');
         CREATE TABLE u (a INT, n BIGINT, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = '{one}',
           'properties.bootstrap.servers' = 'elsewhere:1', 'key.format' = 'json', 'value.format' = 'json');
         CREATE TABLE o (a INT) WITH ('connector' = 'kafka', 'topic' = '{other}', 'properties.bootstrap.servers' = 'elsewhere:1',
           'format' = 'json', 'sink.topic.partitions' = '3', 'sink.topic.replication-factor' = '1');
         INSERT INTO u SELECT a, COUNT(*) FROM t GROUP BY a;
         INSERT INTO o SELECT a FROM t;"
    );
    let run = case.run(&sql, &["--bounded"]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    assert!(
        said.contains(&format!(
            "created the topic '{one}': partitions 1, replicas 1, compacted"
        )),
        "{said}"
    );
    assert!(
        said.contains(&format!(
            "created the topic '{other}': partitions 3, replicas 1"
        )),
        "{said}"
    );
    let config = client(&case.bootstrap, &["config", &one, "cleanup.policy"], "");
    assert_eq!(config.trim(), "compact");
}

#[test]
fn a_record_without_a_value_is_a_row_of_the_raw_format() {
    let case = Case::new("null", 1);
    case.produce(&[
        json!({"value": "x"}),
        json!({"value": null}),
        json!({"value": "y"}),
    ]);
    let sql = "CREATE TABLE t (v STRING) WITH ('connector' = 'kafka', 'topic' = '$topic', 'format' = 'raw',
        'properties.bootstrap.servers' = 'elsewhere:1', 'scan.startup.mode' = 'earliest-offset'); SELECT v FROM t;";
    let rows = case.rows(sql, &["--bounded"]);
    assert_eq!(
        rows,
        [json!({"v": "x"}), json!({"v": "y"}), json!({"v": null})]
    );
}
