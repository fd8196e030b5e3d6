//! What whoever operates a job on a real broker counts on: what it promises, says, refuses, and how it ends.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::broker::{Broker, Case, TABLE, column, eventually, numbers, stop};
use crate::recovery::{counts, created, ends, flowline, kept, start, total, words};

/// A verb over the case's file, with its broker.
fn over_file(case: &Case, verb: &str, sql: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowline"))
        .arg(verb)
        .arg(case.sql(sql))
        .args(["--kafka", &case.bootstrap()])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn rows_of_aborted_transactions_are_not_read() {
    let case = Case::new("aborted", 1);
    let row = |a: i64| json!({"value": {"a": a, "b": "x"}, "partition": 0});
    case.produce(&[row(1)]);
    case.abort(&[row(2)]);
    case.produce(&[row(3)]);
    let table = format!(
        "{TABLE}, 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'"
    );
    let read = |options: &str| {
        let sql = format!("{table}{options}); SELECT a FROM t;");
        column(&case.rows(&sql, &[]), "a")
    };
    assert_eq!(read(""), [1, 3]);
    // Flink's default.
    let uncommitted = ", 'properties.isolation.level' = 'read_uncommitted'";
    assert_eq!(read(uncommitted), [1, 2, 3]);
    let sql = format!("{table}); SELECT COUNT(*) AS n FROM t;");
    let counted = over_file(&case, "query", &sql, &["--output", "jsonl"]);
    assert_eq!(words(&counted.stdout), r#"{"n":2}"#);
}

/// Whoever reads what the same job writes counts twice what comes twice.
#[test]
fn a_job_that_reads_what_it_writes_at_least_once_is_warned() {
    let case = Case::new("warned", 1);
    let between = created("warned_between");
    let sql = |options: &str| {
        format!(
            "{TABLE}, 'scan.startup.mode' = 'earliest-offset');
             CREATE TABLE m (n INT) WITH ('connector' = 'kafka', 'topic' = '{between}', 'format' = 'json',
               'properties.bootstrap.servers' = 'elsewhere:1', 'scan.startup.mode' = 'earliest-offset'{options});
             CREATE TABLE o (s INT) WITH ('connector' = 'blackhole');
             INSERT INTO m SELECT a FROM t;
             INSERT INTO o SELECT SUM(n) FROM m;"
        )
    };
    case.produce(
        &numbers(0..1)
            .into_iter()
            .map(|mut r| {
                r["partition"] = json!(0);
                r
            })
            .collect::<Vec<_>>(),
    );
    let warning =
        "'m' is written at least once and read by this job: after a failure its rows come twice";
    let explained = over_file(&case, "explain", &sql(""), &[]);
    assert!(
        words(&explained.stdout).contains(warning),
        "{}",
        words(&explained.stdout)
    );
    let run = case.run(&sql(""), &["--bounded"]);
    assert!(
        words(&run.stderr).contains(warning),
        "{}",
        words(&run.stderr)
    );
    let exactly =
        ", 'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'x'";
    let explained = over_file(&case, "explain", &sql(exactly), &[]);
    assert!(!words(&explained.stdout).contains("after a failure"));
}

/// Runs what is over to its end, with the case's checkpoints.
fn over(case: &Case, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(["run", "--bounded", "--kafka", &case.bootstrap()])
        .args(kept(case))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn two_folders_of_one_name_are_two_jobs() {
    let case = Case::new("origin", 1);
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    let sql = format!("{TABLE}, 'scan.startup.mode' = 'earliest-offset'); SELECT COUNT(*) FROM t;");
    let folders = ["a", "b"].map(|name| {
        let folder = case.dir.path().join(name).join("etl");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join("01_all.sql"),
            sql.replace("$topic", &case.topic),
        )
        .unwrap();
        folder.display().to_string()
    });
    let first = over(&case, &[&folders[0]]);
    let said = words(&first.stderr);
    assert!(first.status.success(), "{said}");
    let dir = case.dir.path().join("checkpoints").canonicalize().unwrap();
    let begins = format!(
        "begins with nothing: job 'etl' has no checkpoint in {}",
        dir.display()
    );
    assert!(said.contains(&begins), "{said}");
    for more in [&[][..], &["--fresh"]] {
        let second = over(&case, &[&[folders[1].as_str()], more].concat());
        let said = words(&second.stderr);
        assert_eq!(second.status.code(), Some(2), "{said}");
        for place in &folders {
            assert!(said.contains(place), "{said}");
        }
        assert!(said.contains("--name"), "{said}");
    }
    // The same folder goes on, whatever the path looks like; another name is another job.
    let again = over(&case, &[&format!("{}/../etl/", folders[0])]);
    assert!(
        words(&again.stderr).contains("had read all its input"),
        "{}",
        words(&again.stderr)
    );
    let named = over(&case, &[&folders[1], "--name", "other"]);
    assert!(named.status.success(), "{}", words(&named.stderr));
    // Whoever names the job says that it is the same one.
    let moved = over(&case, &[&folders[1], "--name", "etl"]);
    assert!(
        words(&moved.stderr).contains("had read all its input"),
        "{}",
        words(&moved.stderr)
    );
}

#[test]
fn statements_of_the_command_line_are_a_job_by_their_text() {
    let case = Case::new("inline", 1);
    let table = format!("{TABLE}, 'scan.startup.mode' = 'earliest-offset');")
        .replace("$topic", &case.topic);
    for select in ["SELECT a FROM t", "SELECT b FROM t"] {
        let run = over(&case, &["-e", &table, "-e", select]);
        assert!(
            words(&run.stderr).contains("begins with nothing"),
            "{}",
            words(&run.stderr)
        );
    }
    let jobs = flowline(&case, &["checkpoints", "ls"]);
    assert_eq!(String::from_utf8_lossy(&jobs.stdout).lines().count(), 2);
}

/// A position is one in its topic and cluster: in another it says nothing, and the state belongs to what was read.
#[test]
fn another_topic_under_the_same_name_is_refused() {
    let case = Case::new("moved", 1);
    let other = Case::new("moved_to", 1);
    let out = created("moved_out");
    let one = json!({"value": {"a": 1, "b": "x"}});
    case.produce(std::slice::from_ref(&one));
    other.produce(&[one.clone(), one]);
    let sql = counts(&case, &out, "");
    let job = start(&case, &sql, &[]);
    eventually("the first topic is read", 60, || total(&case, &out) == 1);
    stop(job);
    let moved = sql.replace("$topic", &other.topic);
    let refused = ends(&case, &moved, &[]);
    let said = words(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("topic '{}'", case.topic)), "{said}");
    assert!(said.contains(&format!("topic '{}'", other.topic)), "{said}");
    // What is given up is said.
    let job = start(&case, &moved, &["--drop-state"]);
    eventually("the other topic is read", 60, || total(&case, &out) == 3);
    stop(job);
    let said = words(case.log().as_bytes());
    assert!(said.contains("drops t: how far it was read"), "{said}");
}

/// The same command again goes on, also where it began with a savepoint.
#[test]
fn a_job_restored_from_a_savepoint_goes_on_from_its_own_checkpoints() {
    let case = Case::new("again", 1);
    let out = created("again_out");
    let sql = counts(&case, &out, "");
    let row = json!({"value": {"a": 1, "b": "x"}});
    case.produce(std::slice::from_ref(&row));
    let mut job = start(&case, &sql, &[]);
    eventually("the first row is counted", 60, || total(&case, &out) == 1);
    let stopped = flowline(&case, &["stop", &case.topic, "--savepoint"]);
    let savepoint = String::from_utf8_lossy(&stopped.stdout).trim().to_string();
    assert!(job.wait().unwrap().success());
    case.produce(std::slice::from_ref(&row));
    let restore = ["--restore", &savepoint];
    let mut job = start(&case, &sql, &restore);
    eventually("the second row is counted", 60, || total(&case, &out) == 2);
    job.kill().unwrap();
    job.wait().unwrap();
    let records = case.consume(&out).len();
    let job = start(&case, &sql, &restore);
    case.produce(std::slice::from_ref(&row));
    eventually("the third row is counted", 60, || total(&case, &out) == 3);
    stop(job);
    let written: Vec<i64> = case.consume(&out)[records..]
        .iter()
        .filter_map(|r| r["value"]["n"].as_i64())
        .collect();
    assert_eq!(written, [3], "nothing comes twice: {}", case.log());
    let said = words(case.log().as_bytes());
    assert!(
        said.contains("the job has gone on since that savepoint"),
        "{said}"
    );
    // Whoever wants to go back says so.
    let job = start(&case, &sql, &["--fresh", "--restore", &savepoint]);
    eventually("it begins with the savepoint", 60, || {
        case.consume(&out).len() > records + 1
    });
    stop(job);
}

/// Sends a signal and waits for the end; how long that took, and the exit code.
fn ended_by(mut job: Child, signal: &str) -> (Duration, Option<i32>) {
    let begun = Instant::now();
    let sent = Command::new("kill")
        .args([signal, &job.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    while begun.elapsed() < Duration::from_secs(60) {
        if let Some(status) = job.try_wait().unwrap() {
            return (begun.elapsed(), status.code());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    job.kill().unwrap();
    panic!("it does not end");
}

#[test]
fn a_job_ends_in_time_whatever_hangs() {
    let broker = Broker::start();
    let case = Case::on(&broker, "hangs", 1);
    let out = Case::on(&broker, "hangs_out", 1);
    // Rows in flight, and a checkpoint that cannot be committed.
    let sql = format!(
        "SET 'execution.checkpointing.interval' = '500 ms';
         CREATE TABLE g (a BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000');
         CREATE TABLE o (a BIGINT) WITH ('connector' = 'kafka', 'topic' = '{}', 'format' = 'json',
           'properties.bootstrap.servers' = 'elsewhere:1', 'sink.delivery-guarantee' = 'exactly-once',
           'sink.transactional-id-prefix' = 'hangs');
         INSERT INTO o SELECT a FROM g;",
        out.topic
    );
    let job = start(&case, &sql, &["--stop-timeout", "3 s"]);
    eventually("rows arrive", 60, || !out.consume(&out.topic).is_empty());
    broker.command("stop");
    std::thread::sleep(Duration::from_secs(1));
    let (took, code) = ended_by(job, "-TERM");
    assert!(took < Duration::from_secs(5), "{took:?}: {}", case.log());
    assert_eq!(code, Some(3), "{}", case.log());
    let said = words(case.log().as_bytes());
    assert!(said.contains("did not end by itself within 3 s"), "{said}");
    std::fs::remove_dir_all(&broker.dir).unwrap();
}

#[test]
fn a_job_ends_in_time_though_nobody_reads_what_it_prints() {
    let mut job = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(["run", "--stop-timeout", "2 s", "--output", "jsonl", "-e"])
        .arg("CREATE TABLE g (a STRING) WITH ('connector' = 'datagen'); SELECT a FROM g;")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It prints: from here on nobody reads, and the pipe fills.
    let mut first = [0];
    job.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let (took, code) = ended_by(job, "-TERM");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(code, Some(3));
}

#[test]
fn a_hangup_stops_as_sigterm_does_but_not_under_nohup() {
    let case = Case::new("hangup", 1);
    let sql = format!("{TABLE}, 'scan.startup.mode' = 'earliest-offset'); SELECT COUNT(*) FROM t;");
    let job = start(&case, &sql, &[]);
    eventually("it runs", 60, || case.log().contains("running"));
    let (took, code) = ended_by(job, "-HUP");
    assert_eq!(code, Some(0), "{}", case.log());
    assert!(took < Duration::from_secs(5), "{took:?}");
    let mut command = Command::new("nohup");
    command
        .arg(env!("CARGO_BIN_EXE_flowline"))
        .arg("run")
        .arg(case.sql(&sql));
    command.args(["--kafka", &case.bootstrap()]);
    let mut job = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(job.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("running")));
    let sent = Command::new("kill")
        .args(["-HUP", &job.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(ended_by(job, "-TERM").1, Some(0));
}

#[test]
fn asking_a_job_that_does_not_run_is_answered_at_once() {
    let case = Case::new("absent", 1);
    case.produce(&[json!({"value": {"a": 1, "b": "x"}})]);
    let sql = counts(&case, &created("absent_out"), "");
    let run = ends(&case, &sql, &["--bounded"]);
    assert!(run.status.success(), "{}", words(&run.stderr));
    for asked in [
        &["stop", &case.topic][..],
        &["checkpoints", "take", &case.topic],
        &["stop", "nobody"],
    ] {
        let begun = Instant::now();
        let output = flowline(&case, asked);
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert_eq!(output.status.code(), Some(3));
        assert!(
            words(&output.stderr).contains("does not run"),
            "{}",
            words(&output.stderr)
        );
    }
}

#[test]
fn savepoints_are_listed_wherever_they_are() {
    let case = Case::new("elsewhere", 1);
    let sql = counts(&case, &created("elsewhere_out"), "");
    let job = start(&case, &sql, &[]);
    eventually("it runs", 60, || case.log().contains("running"));
    let place = case.dir.path().join("kept");
    let place = place.to_str().unwrap();
    let taken = flowline(
        &case,
        &["checkpoints", "take", &case.topic, "--savepoint", place],
    );
    assert!(taken.status.success(), "{}", words(&taken.stderr));
    let listed = || words(&flowline(&case, &["checkpoints", "ls", &case.topic]).stdout);
    let said = listed();
    assert!(
        said.contains("\"savepoint\"") && said.contains("kept"),
        "{said}"
    );
    std::fs::remove_dir_all(place).unwrap();
    assert!(listed().contains("there is no such folder"));
    stop(job);
}

#[test]
fn bad_rows_in_files_are_sent_back_once() {
    let case = Case::new("sentback", 1);
    let folder = case.dir.path().join("bad");
    case.produce(&[
        json!({"value": "no row"}),
        json!({"value": {"a": 1, "b": "x"}}),
    ]);
    let sql = format!(
        "{TABLE}, 'scan.startup.mode' = 'earliest-offset', 'bad-rows.path' = '{}'); SELECT a FROM t;",
        folder.display()
    );
    assert_eq!(column(&case.rows(&sql, &["--bounded"]), "a"), [1]);
    let bad = || {
        case.consume(&case.topic)
            .iter()
            .filter(|r| r["value"] == "no row")
            .count()
    };
    for _ in 0..2 {
        let replayed = over_file(&case, "replay", &sql, &["--bad-rows", "t"]);
        assert!(replayed.status.success(), "{}", words(&replayed.stderr));
        assert_eq!(bad(), 2);
    }
}

/// A table of texts with event times, and how many of them there are in windows of 10 seconds.
const WINDOWS: &str = "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'kafka',
      'topic' = '$topic', 'properties.bootstrap.servers' = 'elsewhere:1', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
    CREATE TABLE o (w TIMESTAMP(3), n BIGINT) WITH ('connector' = 'kafka', 'topic' = '$out', 'format' = 'json',
      'properties.bootstrap.servers' = 'elsewhere:1');
    INSERT INTO o SELECT window_start, COUNT(*) FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)
      GROUP BY window_start, window_end;";

fn at(partition: i32, time: &str) -> serde_json::Value {
    json!({"partition": partition, "value": {"ts": time}})
}

#[test]
fn an_idle_timeout_closes_windows_at_any_parallelism() {
    let case = Case::new("idling", 2);
    let times = ["2026-01-01 00:00:01", "2026-01-01 00:00:15"];
    case.produce(&times.map(|time| at(0, time)));
    for parallelism in ["1", "2"] {
        let out = created("idling_out");
        let sql = WINDOWS.replace("$out", &out);
        let job = case.start(
            &sql,
            &["--idle-timeout", "300 ms", "--parallelism", parallelism],
        );
        eventually("the first window is over", 60, || {
            case.consume(&out).len() == 1
        });
        stop(job);
    }
}

#[test]
fn late_rows_are_reported_while_the_job_runs() {
    let case = Case::new("future", 1);
    let times = [
        "2026-01-01 00:00:01",
        "2099-01-01 00:00:00",
        "2026-01-01 00:00:02",
    ];
    case.produce(&times.map(|time| at(0, time)));
    let said = || words(case.log().as_bytes());
    let job = case.start(&WINDOWS.replace("$out", &created("future_out")), &[]);
    eventually("it is told", 60, || said().contains("1 late row left out"));
    assert!(
        said().contains("The watermark of 't' stands at 2099-01-01 00:00:00, ahead of the clock"),
        "{}",
        said()
    );
    stop(job);
    // Whoever does not believe in the future counts both.
    let out = created("future_out");
    let guarded = format!(
        "SET 'flowline.watermark.max-ahead' = '1 h'; {}",
        WINDOWS.replace("$out", &out)
    );
    let job = case.start(&guarded, &[]);
    eventually("it is told", 60, || {
        said().contains("1 row dated further ahead of the clock")
    });
    case.produce(&[at(0, "2026-01-01 00:00:20")]);
    eventually("the window is whole", 60, || {
        case.consume(&out)
            .first()
            .is_some_and(|r| r["value"]["n"] == 2)
    });
    stop(job);
}

/// What a replay of `SELECT a, ...` gives, or says where it is refused.
fn replayed(case: &Case, sql: &str, arguments: &[&str]) -> Result<Vec<serde_json::Value>, String> {
    let output = over_file(case, "replay", sql, arguments);
    if !output.status.success() {
        assert_eq!(output.status.code(), Some(2), "{}", words(&output.stderr));
        return Err(words(&output.stderr));
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    Ok(rows.map(|line| line["row"].clone()).collect())
}

#[test]
fn the_range_of_a_replay_is_one_that_is_there() {
    let case = Case::new("range", 2);
    case.produce(&numbers(0..10));
    let sql = format!("{TABLE}, 'scan.startup.mode' = 'earliest-offset'); SELECT a FROM t;");
    let read = |arguments: &[&str]| replayed(&case, &sql, arguments).map(|rows| column(&rows, "a"));
    // Partitions that are not named are not read, whichever end names the others.
    assert_eq!(read(&["--to", "partition:0,offset:2"]).unwrap(), [0, 2]);
    assert_eq!(read(&["--from", "partition:0,offset:3"]).unwrap(), [6, 8]);
    let both = [
        "--from",
        "partition:1,offset:1",
        "--to",
        "partition:1,offset:3",
    ];
    assert_eq!(read(&both).unwrap(), [3, 5]);
    for (arguments, why) in [
        (
            &["--to", "partition:0,offset:99"][..],
            "partition 0 has no offset 99: it ends at 5",
        ),
        (
            &["--from", "partition:0,offset:6"],
            "partition 0 has no offset 6: it ends at 5",
        ),
        (
            &["--from", "partition:7,offset:0"],
            "has no partition 7: it has 0, 1",
        ),
        (
            &[
                "--from",
                "partition:0,offset:0",
                "--to",
                "partition:1,offset:1",
            ],
            "--from names offsets of the partitions 0, --to of 1",
        ),
        (&["--from", "2999-01-01"], "lies in the future"),
        (
            &["--from", "2026-01-02", "--to", "2026-01-01"],
            "--to is not after --from",
        ),
    ] {
        let said = read(arguments).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

/// Nothing lies in it: that is no mistake, but nobody should have to guess.
#[test]
fn a_range_with_nothing_in_it_is_told() {
    let case = Case::new("nothing", 1);
    let row = |a: i64| json!({"value": {"a": a, "b": "x"}, "timestamp": 1000 * a});
    case.produce(&[row(1), row(2)]);
    let folder = case.dir.path().join("archive").display().to_string();
    let archive = format!(
        "{TABLE}, 'scan.startup.mode' = 'earliest-offset');
         CREATE TABLE archived (a INT, b STRING, `timestamp` TIMESTAMP_LTZ(3), `partition` INT, `offset` BIGINT)
           WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'parquet');
         INSERT INTO archived SELECT a, b, TO_TIMESTAMP_LTZ(1000 * a, 3), 0, CAST(a - 1 AS BIGINT) FROM t;"
    );
    let written = case.run(&archive, &["--bounded"]);
    assert!(written.status.success(), "{}", words(&written.stderr));
    let topic = &case.topic;
    for (options, place) in [
        ("", format!("topic '{topic}'")),
        (
            &format!(", 'archive.path' = '{folder}'"),
            format!("topic '{topic}' and its archive {folder}"),
        ),
    ] {
        let sql = |scan: &str| {
            format!("{TABLE}, 'scan.startup.mode' = {scan}{options}); SELECT a FROM t;")
        };
        for (arguments, range) in [
            (
                &["--from", "2020-01-01T00:00:00Z"][..],
                "from 2020-01-01 00:00:00 UTC to its present end",
            ),
            (
                &["--from", "partition:0,offset:2"],
                "from partition:0,offset:2 to its present end",
            ),
            (
                &["--to", "1970-01-01T00:00:00.500Z"],
                "from its beginning to 1970-01-01 00:00:00.500 UTC",
            ),
        ] {
            let replayed = over_file(&case, "replay", &sql("'earliest-offset'"), arguments);
            let said = words(&replayed.stderr);
            assert_eq!(replayed.status.code(), Some(0), "{said}");
            let note = format!("note: table 't' has no row in {place} {range}");
            assert!(said.contains(&note), "{said}");
        }
        let some = over_file(
            &case,
            "replay",
            &sql("'earliest-offset'"),
            &["--from", "partition:0,offset:1"],
        );
        assert!(!words(&some.stderr).contains("has no row"));
        let late = sql("'timestamp', 'scan.startup.timestamp-millis' = '5000'");
        let said = words(&case.run(&late, &["--bounded"]).stderr);
        let note = "from 1970-01-01 00:00:05 UTC to its present end";
        assert!(said.contains(note), "{said}");
    }
}

#[test]
fn the_range_of_a_replay_holds_in_an_archive() {
    let case = Case::new("archived", 2);
    case.produce(&numbers(0..100));
    let folder = case.dir.path().join("archive");
    let folder = folder.display();
    let columns = "a INT, ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp', p INT METADATA FROM 'partition' VIRTUAL,
        o BIGINT METADATA FROM 'offset' VIRTUAL, k STRING METADATA FROM 'topic' VIRTUAL";
    let options = "'connector' = 'kafka', 'topic' = '$topic', 'properties.bootstrap.servers' = 'elsewhere:1', 'format' = 'json',
        'scan.startup.mode' = 'earliest-offset'";
    let write = format!(
        "CREATE TABLE t ({columns}) WITH ({options});
         CREATE TABLE archived (a INT, `timestamp` TIMESTAMP_LTZ(3), `partition` INT, `offset` BIGINT)
           WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'parquet');
         INSERT INTO archived SELECT a, ts, p, o FROM t WHERE o < 40;"
    );
    let written = case.run(&write, &["--bounded"]);
    assert!(written.status.success(), "{}", words(&written.stderr));
    // The archive has the offsets up to 39, the topic those from 30 on: numbers up to 79, and from 60 on.
    case.trim(30);
    let sql = format!(
        "CREATE TABLE t ({columns}) WITH ({options}, 'archive.path' = '{folder}'); SELECT a, p, o, k FROM t;"
    );
    let read = |from: &str, to: &str| {
        let rows = replayed(&case, &sql, &["--from", from, "--to", to]).unwrap();
        for row in &rows {
            let a = row["a"].as_i64().unwrap();
            assert_eq!(
                (row["p"].as_i64(), row["o"].as_i64()),
                (Some(a % 2), Some(a / 2))
            );
            assert_eq!(row["k"], case.topic);
        }
        column(&rows, "a")
    };
    let all = |range: std::ops::Range<i64>| range.collect::<Vec<_>>();
    assert_eq!(read("earliest", "latest"), all(0..100));
    // Times are 100 ms apart, from the first second of 1970 on.
    assert_eq!(
        read("1970-01-01T00:00:02Z", "1970-01-01T00:00:03Z"),
        all(10..20)
    );
    assert_eq!(
        read("1970-01-01T00:00:06Z", "1970-01-01T00:00:10Z"),
        all(50..90)
    );
    assert_eq!(read("1970-01-01T00:00:09.500Z", "latest"), all(85..100));
    assert_eq!(
        read("partition:1,offset:10", "partition:1,offset:12"),
        [21, 23]
    );
    assert_eq!(
        read("partition:1,offset:38", "partition:1,offset:42"),
        [77, 79, 81, 83]
    );
}

/// As it is shipped, the pipeline gives each row once whatever happens.
#[test]
fn the_pipeline_is_exactly_once_from_topic_to_topic() {
    let explained = Command::new(env!("CARGO_BIN_EXE_flowline"))
        .args(["explain", "sql/"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = words(&explained.stdout);
    assert!(explained.status.success(), "{}", words(&explained.stderr));
    assert!(said.contains("exactly once"), "{said}");
    assert!(!said.contains("at least once"), "{said}");
}

/// Whoever watches the group sees how far the job is, and a job that begins at 'group-offsets' goes on there.
#[test]
fn offsets_are_committed_with_each_checkpoint() {
    let case = Case::new("committed", 1);
    let row = |a: i64| json!({"value": {"a": a, "b": "x"}});
    let sql = |startup: &str, group: &str, more: &str| {
        format!(
            "SET 'execution.checkpointing.interval' = '200 ms';
             {TABLE}, 'scan.startup.mode' = '{startup}', 'properties.group.id' = '{group}'{more}); SELECT a FROM t;"
        )
    };
    let rest = |group: &str| {
        let bounded =
            ", 'scan.bounded.mode' = 'latest-offset', 'properties.auto.offset.reset' = 'earliest'";
        let sql = sql("group-offsets", group, bounded);
        column(&case.rows(&sql, &["--fresh", "--name", "rest"]), "a")
    };
    case.produce(&[row(1), row(2)]);
    let job = start(&case, &sql("earliest-offset", "watched", ""), &[]);
    eventually("the group has the first rows", 60, || {
        rest("watched").is_empty()
    });
    // What comes later is committed with the last checkpoint at the latest.
    case.produce(&[row(3)]);
    stop(job);
    case.produce(&[row(4)]);
    assert_eq!(rest("watched").last(), Some(&4));
    assert!(rest("watched").len() <= 2);
    let off = ", 'properties.commit.offsets.on.checkpoint' = 'false'";
    let job = start(
        &case,
        &sql("earliest-offset", "unwatched", off),
        &["--fresh"],
    );
    eventually("it runs", 60, || case.log().contains("running"));
    std::thread::sleep(Duration::from_secs(1));
    stop(job);
    assert_eq!(rest("unwatched"), [1, 2, 3, 4]);
}
