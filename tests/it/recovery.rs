//! Checkpoints and recovery through the command line, over a real broker: what a user sees when things go wrong.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::path::Path;
use std::process::{Child, Command, Output};

use serde_json::{Value, json};

use crate::broker::{Broker, Case, TABLE, eventually, numbers, stop};

/// A count per text into an upsert topic, exactly once.
pub fn counts(case: &Case, out: &str, options: &str) -> String {
    format!(
        "SET 'execution.checkpointing.interval' = '200 ms';
         SET 'pipeline.name' = '{}';
         {TABLE}, 'scan.startup.mode' = 'earliest-offset');
         CREATE TABLE o (b STRING, n BIGINT, s BIGINT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'upsert-kafka',
           'topic' = '{out}', 'key.format' = 'json', 'value.format' = 'json', 'properties.bootstrap.servers' = 'elsewhere:1',
           'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{out}'{options});
         INSERT INTO o SELECT b, COUNT(*), SUM(a) FROM t GROUP BY b;",
        case.topic
    )
}

/// Arguments that keep checkpoints in the case's folder.
pub fn kept(case: &Case) -> Vec<String> {
    let dir = case.dir.path().join("checkpoints");
    vec!["--checkpoint-dir".into(), dir.display().to_string()]
}

pub fn start(case: &Case, sql: &str, more: &[&str]) -> Child {
    let kept = kept(case);
    let mut arguments: Vec<&str> = kept.iter().map(String::as_str).collect();
    arguments.extend(more);
    case.start(sql, &arguments)
}

pub fn ends(case: &Case, sql: &str, more: &[&str]) -> Output {
    let kept = kept(case);
    let mut arguments: Vec<&str> = kept.iter().map(String::as_str).collect();
    arguments.extend(more);
    case.run(sql, &arguments)
}

/// A verb about the case's checkpoints.
pub fn flowline(case: &Case, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(arguments)
        .args(kept(case))
        .output()
        .unwrap()
}

pub fn words(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let words = text.split_whitespace().filter(|word| *word != "│");
    words.collect::<Vec<_>>().join(" ")
}

/// The number in the last record of the upsert topic.
pub fn total(case: &Case, out: &str) -> i64 {
    let records = case.consume(out);
    let last = records.last().map(|r| r["value"]["n"].clone());
    last.and_then(|n| n.as_i64()).unwrap_or(0)
}

pub fn created(name: &str) -> String {
    Case::new(name, 1).topic.clone()
}

#[test]
fn a_killed_job_goes_on_where_it_was() {
    let case = Case::new("killed", 2);
    let out = created("killed_out");
    let sql = counts(&case, &out, "");
    case.produce(&numbers(0..100));
    let mut job = start(&case, &sql, &[]);
    eventually("the first rows are counted", 120, || {
        total(&case, &out) == 100
    });
    job.kill().unwrap();
    job.wait().unwrap();
    case.produce(&numbers(100..150));
    // Another parallelism restores the same state.
    let job = start(&case, &sql, &["--parallelism", "3"]);
    eventually("the others are too", 120, || total(&case, &out) == 150);
    stop(job);
    let shown = words(&flowline(&case, &["checkpoints", "show", &case.topic]).stdout);
    assert!(shown.contains("GroupAggregate(groupBy=[b]"), "{shown}");
    assert!(shown.contains("-0: next 75"), "{shown}");
    let listed = flowline(&case, &["checkpoints", "ls", &case.topic]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 3);
    let whole = flowline(&case, &["checkpoints", "verify", &case.topic]);
    assert!(whole.status.success());
    // A damaged checkpoint is named, and passed over. The sinks name the newest, so damage a file it shares with none.
    let rows: Value =
        serde_json::from_slice(listed.stdout.split(|b| *b == b'\n').nth(2).unwrap()).unwrap();
    let oldest: u64 = rows["number"].as_str().unwrap().parse().unwrap();
    let manifest = format!("checkpoints/{}/manifests/{oldest:012}.json", case.topic);
    std::fs::write(case.dir.path().join(manifest), "{").unwrap();
    let damaged = flowline(&case, &["checkpoints", "verify", &case.topic]);
    assert_eq!(damaged.status.code(), Some(3));
    assert!(words(&damaged.stderr).contains("is no manifest"));
}

/// A job that is killed before its first checkpoint starts again as it did, and nobody has changed its SQL.
#[test]
fn a_job_without_a_checkpoint_starts_again() {
    let case = Case::new("early", 1);
    let out = created("early_out");
    let sql = counts(&case, &out, "").replace("'200 ms'", "'1 h'");
    let mut job = start(&case, &sql, &[]);
    eventually("it runs", 120, || case.log().contains("running"));
    job.kill().unwrap();
    job.wait().unwrap();
    let job = start(&case, &sql, &[]);
    eventually("it runs again", 120, || {
        case.log().matches("running").count() == 2
    });
    stop(job);
    assert!(!case.log().contains("changed"), "{}", case.log());
}

#[test]
fn of_two_runs_of_a_job_one_lives_on() {
    let case = Case::new("fenced", 1);
    let out = created("fenced_out");
    let sql = counts(&case, &out, "");
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    let mut first = start(&case, &sql, &[]);
    eventually("the first counts", 120, || total(&case, &out) == 1);
    let second = start(&case, &sql, &[]);
    let status = first.wait().unwrap();
    let said = words(case.log().as_bytes());
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("another run of the job"), "{said}");
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    eventually("the second counts", 120, || total(&case, &out) == 2);
    stop(second);
}

/// What the client library says of it helps nobody.
#[test]
fn a_run_that_was_shut_out_says_so_in_a_sentence() {
    let case = Case::new("shutout", 1);
    let out = created("shutout_out");
    let sql = counts(&case, &out, "");
    let rare = sql.replace("'200 ms'", "'1 h'");
    let row = || json!({"value": {"a": 1, "b": "x"}});
    // The broker has been asked for transactions before: that it is not ready for them yet is said too.
    let begun = start(&case, &sql, &[]);
    eventually("it runs", 120, || case.log().contains("running"));
    stop(begun);
    let mut first = start(&case, &rare, &[]);
    eventually("the first runs", 120, || {
        case.log().matches("running").count() == 2
    });
    case.produce(&[row()]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    let before = case.log().len();
    let second = start(&case, &sql, &[]);
    eventually("the second counts", 120, || total(&case, &out) == 1);
    // The first has something to write now and then, and cannot.
    eventually("the first ends", 120, || {
        case.produce(&[row()]);
        first.try_wait().unwrap().is_some()
    });
    let status = first.wait().unwrap();
    let all = case.log();
    let lines = all[before..].lines();
    // The first is the second run's: the broker is busy with ending what the first had begun. The second is of a slow machine.
    let others = ["Failed to acquire transactional PID", "in-flight"];
    let lines = lines.filter(|line| others.iter().all(|other| !line.contains(other)));
    let said = words(lines.collect::<Vec<_>>().join("\n").as_bytes());
    assert_eq!(status.code(), Some(4), "{said}");
    let taken = format!(
        "error: another run of the job '{}' has taken over",
        case.topic
    );
    assert!(said.contains(&taken), "{said}");
    for raw in ["still trying", "Fatal", "fatal", "fenced", "caused by"] {
        assert!(!said.contains(raw), "{raw}: {said}");
    }
    eventually("the second goes on", 120, || total(&case, &out) > 1);
    stop(second);
}

/// A partition that was idle when the job was killed brings a row of a window that has fired: it is late, as it would have been.
#[test]
fn a_window_that_has_fired_stays_closed_after_a_restart() {
    let case = Case::new("idle", 2);
    let out = created("idle_out");
    let sql = format!(
        "SET 'execution.checkpointing.interval' = '200 ms';
         SET 'pipeline.name' = '{}';
         SET 'table.exec.source.idle-timeout' = '500 ms';
         CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'kafka', 'topic' = '$topic',
           'properties.bootstrap.servers' = 'elsewhere:1', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
         CREATE TABLE o (w TIMESTAMP(3), n BIGINT, PRIMARY KEY (w) NOT ENFORCED) WITH ('connector' = 'upsert-kafka',
           'topic' = '{out}', 'key.format' = 'json', 'value.format' = 'json', 'properties.bootstrap.servers' = 'elsewhere:1',
           'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{out}');
         INSERT INTO o SELECT window_start, COUNT(*) FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)
           GROUP BY window_start, window_end;",
        case.topic
    );
    let row = |partition: i32, time: &str| json!({"partition": partition, "value": {"ts": format!("2026-01-01 00:{time}")}});
    // What was written of each window; its first partition is kept from being idle.
    let written = |time: &str| -> Vec<(String, i64)> {
        case.produce(&[row(0, time)]);
        let record = |r: &Value| {
            let (w, n) = (r["value"]["w"].as_str().unwrap(), &r["value"]["n"]);
            (w.to_string(), n.as_i64().unwrap())
        };
        case.consume(&out).iter().map(record).collect()
    };
    let first = ("2026-01-01 00:00:00".to_string(), 3);
    case.produce(&[row(0, "00:01"), row(0, "00:02"), row(1, "00:03")]);
    let mut job = start(&case, &sql, &["--parallelism", "1"]);
    eventually("the window is over", 120, || {
        written("01:40") == std::slice::from_ref(&first)
    });
    job.kill().unwrap();
    job.wait().unwrap();
    let job = start(&case, &sql, &["--parallelism", "1"]);
    eventually("it runs again", 120, || {
        case.log().matches("running").count() == 2
    });
    case.produce(&[row(1, "00:04")]);
    eventually("the next window is over", 120, || {
        written("05:00").len() > 1
    });
    stop(job);
    let of_first = written("05:00").into_iter().filter(|(w, _)| *w == first.0);
    assert_eq!(of_first.collect::<Vec<_>>(), [first], "{}", case.log());
}

/// An earlier run that sets its transactions up late shuts the later one out of Kafka, though not of the job: that one goes on.
#[test]
fn a_run_that_a_late_one_shuts_out_goes_on() {
    let case = Case::new("late", 1);
    let out = created("late_out");
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    let mut late = case.fence(&format!("{out}-{}", case.topic), 3);
    let job = start(&case, &counts(&case, &out, ""), &[]);
    assert!(late.wait().unwrap().success());
    eventually("it counts", 120, || total(&case, &out) == 1);
    assert!(case.log().contains("restart  1 in"), "{}", case.log());
    stop(job);
}

/// Its tables may stand in another order, go by other prefixes, come and go: it is the same job, and what an earlier run has left
/// open is ended before anything else is written. Readers wait for open transactions.
#[test]
fn a_job_ends_what_it_left_open_whatever_its_tables_are_called() {
    let case = Case::new("renamed", 1);
    let (one, other) = (created("renamed_one"), created("renamed_other"));
    let table = |name: &str, topic: &str, prefix: &str| {
        format!(
        "CREATE TABLE {name} (a INT) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json',
           'properties.bootstrap.servers' = 'elsewhere:1', 'sink.delivery-guarantee' = 'exactly-once',
           'sink.transactional-id-prefix' = '{prefix}');
         INSERT INTO {name} SELECT a FROM t;"
    )
    };
    let sql = |interval: &str, tables: &[String]| {
        format!(
            "SET 'execution.checkpointing.interval' = '{interval}';
         SET 'pipeline.name' = '{}';
         {TABLE}, 'scan.startup.mode' = 'earliest-offset');
         {}",
            case.topic,
            tables.concat()
        )
    };
    let row = |a: i64| json!({"value": {"a": a, "b": "x"}});
    let begins = [table("o", &one, "m"), table("p", &other, "z")];
    let later = [
        [table("p", &other, "z"), table("o", &one, "m")],
        [table("q", &other, "b"), table("p", &one, "c")],
    ];
    for (i, tables) in later.iter().enumerate() {
        case.produce(&[row(1)]);
        // It takes no checkpoint, so what it writes is left open.
        let mut job = start(&case, &sql("1 h", &begins), &[]);
        eventually("it runs", 120, || {
            case.log().matches("running").count() == 2 * i + 1
        });
        std::thread::sleep(std::time::Duration::from_secs(3));
        job.kill().unwrap();
        job.wait().unwrap();
        let job = start(&case, &sql("200 ms", tables), &[]);
        for topic in [&one, &other] {
            eventually("the row is there", 30, || {
                case.consume(topic).len() == i + 1
            });
        }
        stop(job);
    }
}

#[test]
fn a_savepoint_and_changed_sql() {
    let case = Case::new("savepoint", 1);
    let out = created("savepoint_out");
    let sql = counts(&case, &out, "");
    case.produce(
        &numbers(0..10)
            .into_iter()
            .map(|mut r| {
                r["partition"] = json!(0);
                r
            })
            .collect::<Vec<_>>(),
    );
    let mut job = start(&case, &sql, &[]);
    eventually("rows are counted", 120, || total(&case, &out) == 10);
    let stopped = flowline(&case, &["stop", &case.topic, "--savepoint"]);
    assert!(stopped.status.success(), "{}", words(&stopped.stderr));
    let savepoint = String::from_utf8_lossy(&stopped.stdout).trim().to_string();
    assert!(Path::new(&savepoint).join("manifest.json").exists());
    assert!(job.wait().unwrap().success(), "it ended by itself");
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    // A statement more, beside the one that was there: its state goes on.
    let more = format!(
        "{sql} CREATE TABLE p (a INT) WITH ('connector' = 'blackhole'); INSERT INTO p SELECT MAX(a) FROM t GROUP BY b;"
    )
    .replace("'blackhole')", "'print')");
    let job = start(&case, &more, &["--restore", &savepoint]);
    eventually("it goes on from the savepoint", 120, || {
        total(&case, &out) == 11
    });
    // What becomes of the state is said before anything happens to it.
    let said = words(case.log().as_bytes());
    let changed = "changed the SQL is not that of checkpoint";
    assert!(said.contains(changed), "{said}");
    assert!(
        said.contains("keeps t: how far it is read keeps o: GroupAggregate(groupBy=[b], select=[COUNT(*), SUM(a)]),"),
        "{said}"
    );
    assert!(
        said.contains("new p: GroupAggregate(groupBy=[b], select=[MAX(a)]), which sees only the rows that are read from here on"),
        "{said}"
    );
    stop(job);
    // A column more in the sink, from the same aggregates.
    let wider = sql
        .replace("s BIGINT, PRIMARY", "s BIGINT, d BIGINT, PRIMARY")
        .replace("SUM(a) FROM t", "SUM(a), COUNT(*) * 2 FROM t");
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    let job = start(&case, &wider, &[]);
    eventually("its state fits", 120, || total(&case, &out) == 12);
    assert_eq!(case.consume(&out).pop().unwrap()["value"]["d"], 24);
    let said = words(case.log().as_bytes());
    assert!(said.contains("gone p: GroupAggregate"), "{said}");
    // Another key: that state fits nothing.
    let other = sql
        .replace("SELECT b, COUNT(*)", "SELECT CAST(a AS STRING), COUNT(*)")
        .replace("GROUP BY b", "GROUP BY CAST(a AS STRING)");
    let refused = ends(&case, &other, &[]);
    assert_eq!(refused.status.code(), Some(2));
    let said = words(&refused.stderr);
    assert!(said.contains("state that fits no operator"), "{said}");
    assert!(said.contains("GroupAggregate(groupBy=[b]"), "{said}");
    // A start that is refused leaves the run that there is alone.
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    eventually("it runs on", 120, || total(&case, &out) == 13);
    stop(job);
    let job = start(&case, &other, &["--drop-state"]);
    case.produce(&[json!({"value": {"a": 7, "b": "x"}})]);
    eventually("it goes on without that state", 120, || {
        total(&case, &out) == 1
    });
    let said = words(case.log().as_bytes());
    assert!(
        said.contains("drops o: GroupAggregate(groupBy=[b], select=[COUNT(*), SUM(a)]),"),
        "{said}"
    );
    stop(job);
    // And from nothing.
    let job = start(&case, &sql, &["--fresh"]);
    eventually("it begins anew", 120, || total(&case, &out) == 14);
    stop(job);
}

#[test]
fn a_job_that_has_read_all_says_so() {
    let case = Case::new("finished", 1);
    let out = created("finished_out");
    let sql = counts(&case, &out, "");
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    let first = ends(&case, &sql, &["--bounded"]);
    assert!(first.status.success(), "{}", words(&first.stderr));
    assert_eq!(total(&case, &out), 1);
    let second = ends(&case, &sql, &["--bounded"]);
    assert!(second.status.success());
    assert!(words(&second.stderr).contains("had read all its input"));
    assert_eq!(case.consume(&out).len(), 1);
}

#[test]
fn offsets_that_are_gone_are_named() {
    let broker = Broker::start();
    let case = Case::on(&broker, "gone", 1);
    let out = Case::on(&broker, "gone_out", 1).topic.clone();
    let sql = counts(&case, &out, "");
    let at_0 = |n: i64| -> Vec<Value> {
        (0..n)
            .map(|i| json!({"value": {"a": i, "b": "x"}}))
            .collect()
    };
    case.produce(&at_0(20));
    let job = start(&case, &sql, &[]);
    eventually("rows are counted", 120, || total(&case, &out) == 20);
    stop(job);
    // The topic is made anew, with fewer records than were read of the old one.
    let recreate = format!(
        "import sys\nfrom confluent_kafka.admin import AdminClient, NewTopic\na = AdminClient({{'bootstrap.servers': '{}'}})\n\
         [f.result(30) for f in a.delete_topics(['{t}']).values()]\nimport time\n\
         while '{t}' in a.list_topics(timeout=10).topics: time.sleep(0.1)\n\
         [f.result(30) for f in a.create_topics([NewTopic('{t}', 1, 1)]).values()]\n",
        broker.bootstrap,
        t = case.topic
    );
    let done = Command::new(crate::broker::python())
        .args(["-c", &recreate])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", words(&done.stderr));
    case.produce(&at_0(5));
    let refused = ends(&case, &sql, &[]);
    let said = words(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("offset 20: the offset does not exist"),
        "{said}"
    );
    assert!(said.contains("offsets from 0 to before 5"), "{said}");
    // Its advice.
    let on = sql.replace(
        "'scan.startup.mode'",
        "'properties.auto.offset.reset' = 'earliest', 'scan.startup.mode'",
    );
    let job = start(&case, &on, &[]);
    eventually("it goes on from what is there", 120, || {
        total(&case, &out) == 25
    });
    stop(job);
    broker.command("stop");
    std::fs::remove_dir_all(&broker.dir).unwrap();
}

#[test]
fn a_broker_that_refuses_the_transactions_is_named() {
    let case = Case::new("refuses", 1);
    let out = created("refuses_out");
    let sql = counts(
        &case,
        &out,
        ", 'properties.transaction.timeout.ms' = '3600000'",
    );
    let refused = ends(&case, &sql, &[]);
    let said = words(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("transaction.max.timeout.ms"), "{said}");
    let without = sql.replace("SET 'execution.checkpointing.interval' = '200 ms';", "");
    let refused = case.run(&without, &[]);
    let said = words(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("'exactly-once' needs checkpoints"), "{said}");
}

#[test]
fn a_full_disk_fails_checkpoints_not_rows() {
    let case = Case::new("full", 1);
    let sql = format!(
        "SET 'execution.checkpointing.interval' = '200 ms';
         SET 'execution.checkpointing.timeout' = '2 s';
         SET 'restart-strategy.type' = 'fixed-delay';
         SET 'restart-strategy.fixed-delay.attempts' = '1';
         SET 'restart-strategy.fixed-delay.delay' = '100 ms';
         {TABLE}, 'scan.startup.mode' = 'earliest-offset');
         SELECT a, COUNT(*) FROM t GROUP BY a;"
    );
    case.produce(
        &numbers(0..3000)
            .into_iter()
            .map(|mut r| {
                r["partition"] = json!(0);
                r
            })
            .collect::<Vec<_>>(),
    );
    let path = case.sql(&sql);
    // Files of more than 16 KiB cannot be written: as on a full disk, a write fails.
    let script = format!(
        "trap '' XFSZ; ulimit -f 16; exec {} run {} --kafka {} --output jsonl --checkpoint-dir {}",
        env!("CARGO_BIN_EXE_flowline"),
        path.display(),
        case.bootstrap(),
        case.dir.path().join("checkpoints").display()
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let said = words(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("could not be stored within 2 s"), "{said}");
    assert!(said.contains("space on its disk"), "{said}");
    assert!(said.contains("after 1 restarts"), "{said}");
    let rows = String::from_utf8_lossy(&output.stdout).lines().count();
    assert!(rows >= 3000, "{rows} rows came");
    // With room again the job goes on from its last checkpoint: there is the one it began with.
    let mut job = start(&case, &sql, &["--bounded"]);
    assert!(job.wait().unwrap().success());
}

#[test]
fn a_replay_gives_the_rows_that_live_processing_gave() {
    let case = Case::new("replay", 2);
    let live = created("replay_live");
    let again = created("replay_again");
    let sql = format!(
        "SET 'execution.checkpointing.interval' = '200 ms';
         CREATE TABLE t (a INT, b STRING, ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp', WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
           WITH ('connector' = 'kafka', 'topic' = '$topic', 'properties.bootstrap.servers' = 'elsewhere:1', 'format' = 'json',
           'scan.startup.mode' = 'earliest-offset', 'bad-rows.topic' = '{live}_bad');
         CREATE TABLE o (w TIMESTAMP_LTZ(3), n BIGINT, s BIGINT) WITH ('connector' = 'kafka', 'topic' = '{live}', 'format' = 'json',
           'properties.bootstrap.servers' = 'elsewhere:1', 'sink.delivery-guarantee' = 'exactly-once',
           'sink.transactional-id-prefix' = '{live}');
         INSERT INTO o SELECT window_start, COUNT(*), SUM(a) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))
           GROUP BY window_start, window_end;"
    );
    case.produce(&numbers(0..1000));
    case.produce(&[json!({"value": "no row", "partition": 0, "timestamp": 1000})]);
    let job = start(&case, &sql, &[]);
    let rows = |topic: &str| {
        let records = case.consume(topic);
        let mut rows: Vec<String> = records.iter().map(|r| r["value"].to_string()).collect();
        rows.sort();
        rows
    };
    eventually("windows are complete", 120, || rows(&live).len() == 9);
    stop(job);
    let path = case.sql(&sql);
    let replay = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_flowline"))
            .arg("replay")
            .arg(&path)
            .args(["--kafka", &case.bootstrap()])
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", words(&output.stderr));
    };
    // Its own topic ends in the marker of a transaction, and the window at the end of the range stays open as it was.
    replay(&["--into", &format!("o={again}")]);
    assert_eq!(rows(&again), rows(&live));
    // Ten seconds of it: one window, closed because it is asked for.
    let some = created("replay_some");
    replay(&[
        "--from",
        "1970-01-01T00:00:20Z",
        "--to",
        "1970-01-01T00:00:30Z",
        "--close-windows",
        "--into",
        &format!("o={some}"),
    ]);
    assert_eq!(rows(&some), [rows(&live)[2].clone()]);
    // What was no row is kept, and can be sent back: once.
    let bad = case.consume(&format!("{live}_bad"));
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0]["value"], "no row");
    assert_eq!(bad[0]["timestamp"], 1000);
    let headers = &bad[0]["headers"];
    assert_eq!(headers["flowline.source_table"], "t");
    assert_eq!(
        headers["flowline.source_partition"],
        format!("{}-0", case.topic)
    );
    assert_eq!(headers["flowline.source_position"], "500");
    let topic = format!("t.topic={}", case.topic);
    for _ in 0..2 {
        replay(&["--bad-rows", "t", "--set-table", &topic]);
    }
    let sent = case.consume(&case.topic);
    let texts = sent.iter().filter(|r| r["value"] == "no row").count();
    assert_eq!(texts, 2);
}

#[test]
fn an_archive_is_read_before_its_topic() {
    let case = Case::new("archive", 2);
    case.produce(&numbers(0..100));
    let folder = case.dir.path().join("archive");
    let write = format!(
        "CREATE TABLE t (a INT, b STRING, p INT METADATA FROM 'partition' VIRTUAL, o BIGINT METADATA FROM 'offset' VIRTUAL)
           WITH ('connector' = 'kafka', 'topic' = '$topic', 'properties.bootstrap.servers' = 'elsewhere:1', 'format' = 'json',
           'scan.startup.mode' = 'earliest-offset');
         CREATE TABLE archived (a INT, b STRING, `partition` INT, `offset` BIGINT)
           WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'parquet');
         INSERT INTO archived SELECT a, b, p, o FROM t WHERE o < 40;",
        folder.display()
    );
    let written = case.run(&write, &["--bounded"]);
    assert!(written.status.success(), "{}", words(&written.stderr));
    case.produce(&numbers(100..150));
    // Only what the archive does not have is read from the topic: there the rows are said to begin in the future.
    let read = format!(
        "{TABLE}, 'scan.startup.mode' = 'latest-offset', 'archive.path' = '{}'); SELECT a FROM t;",
        folder.display()
    );
    for parallelism in ["1", "2"] {
        let rows = case.rows(&read, &["--bounded", "--parallelism", parallelism]);
        let mut values: Vec<i64> = rows.iter().map(|r| r["a"].as_i64().unwrap()).collect();
        values.sort_unstable();
        assert_eq!(values, (0..150).collect::<Vec<_>>());
    }
    // A job that is killed in the middle goes on there.
    let out = created("archive_out");
    let sql = counts(&case, &out, "").replace(
        "'scan.startup.mode' = 'earliest-offset');",
        &format!(
            "'scan.startup.mode' = 'earliest-offset', 'archive.path' = '{}');",
            folder.display()
        ),
    );
    let mut job = start(&case, &sql, &["--batch-rows", "3"]);
    eventually("all rows are counted", 120, || total(&case, &out) == 150);
    job.kill().unwrap();
    job.wait().unwrap();
    case.produce(&numbers(150..160));
    let job = start(&case, &sql, &[]);
    eventually("the others are too", 120, || total(&case, &out) == 160);
    stop(job);
}

#[test]
fn killed_again_and_again_every_row_comes_once() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/torture.py");
    let output = Command::new(crate::broker::python())
        .arg(script)
        .args(["--flowline", env!("CARGO_BIN_EXE_flowline")])
        .args(["--kills", "8", "--broker-restarts", "1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
