//! Rows that clients insert into the tables of a server: acknowledged once they last, whatever ends in between.

#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::server::Server;

/// Tables that clients write, and one that is computed from them.
const TABLES: &str = "
    CREATE TABLE notes (id BIGINT NOT NULL, t STRING, PRIMARY KEY (id) NOT ENFORCED);
    CREATE TABLE sales (item BIGINT, price BIGINT);
    CREATE TABLE totals (item BIGINT, n BIGINT, s BIGINT, PRIMARY KEY (item) NOT ENFORCED);
    INSERT INTO totals SELECT item, COUNT(*), SUM(price) FROM sales GROUP BY item;";

fn with_tables(server: &Server, more: &[&str]) {
    std::fs::write(server.path().join("shop.sql"), TABLES).unwrap();
    let mut arguments = vec!["submit", "shop.sql"];
    arguments.extend(more);
    server.done(&arguments);
}

#[test]
fn python_writes_over_adbc() {
    let server = Server::start();
    server.satisfies_python("inserts.py");
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let mut server = Server::start();
    with_tables(&server, &["--parallelism", "3"]);
    let (next, mut kept) = (AtomicU64::new(0), Vec::new());
    for round in 0..4 {
        let stop = AtomicBool::new(false);
        let acknowledged: Vec<u64> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut mine = Vec::new();
                        while !stop.load(Ordering::Relaxed) {
                            let id = next.fetch_add(1, Ordering::Relaxed);
                            let sql = format!("INSERT INTO notes VALUES ({id}, 'note {id}')");
                            let done = server.call(&["query", "-e", &sql]).status.success();
                            let item = id % 3;
                            let sql = format!("INSERT INTO sales VALUES ({item}, {id})");
                            if done && server.call(&["query", "-e", &sql]).status.success() {
                                mine.push(id);
                            }
                        }
                        mine
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(600 + 200 * round));
            let pid = server.process.id().to_string();
            assert!(
                Command::new("kill")
                    .args(["-9", &pid])
                    .status()
                    .unwrap()
                    .success()
            );
            stop.store(true, Ordering::Relaxed);
            let clients = clients.into_iter();
            clients.flat_map(|client| client.join().unwrap()).collect()
        });
        assert!(!acknowledged.is_empty(), "round {round}");
        kept.extend(acknowledged);
        server = server.killed_and_back();
        // All that was acknowledged is there, and what is computed agrees with what was inserted.
        let seen = server.query("SELECT id FROM notes");
        let seen: std::collections::BTreeSet<&str> = seen.lines().collect();
        for id in &kept {
            assert!(
                seen.contains(format!("{{\"id\":{id}}}").as_str()),
                "{id} is lost"
            );
        }
        let sold = server.query("SELECT price FROM sales");
        let mut ids: Vec<u64> = sold
            .lines()
            .map(|line| line["{\"price\":".len()..line.len() - 1].parse().unwrap())
            .collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "a row came twice");
        assert!(
            kept.iter().all(|id| ids.binary_search(id).is_ok()),
            "round {round}"
        );
        let totals = server.query("SELECT SUM(n) AS n, SUM(s) AS s FROM totals");
        let expected = format!("{{\"n\":{all},\"s\":{}}}", ids.iter().sum::<u64>());
        assert_eq!(totals.trim(), expected);
    }
}

/// A row that the job cannot process ends it, and is not there when the job goes on.
#[test]
fn a_row_that_fails_the_job_is_told_and_does_not_come_again() {
    let server = Server::start();
    let sql = "
        CREATE TABLE numbers (n BIGINT);
        CREATE TABLE inverse (i BIGINT);
        INSERT INTO inverse SELECT 10 / n FROM numbers;";
    std::fs::write(server.path().join("inverse.sql"), sql).unwrap();
    server.done(&["submit", "inverse.sql"]);
    server.done(&["query", "-e", "INSERT INTO numbers VALUES (5)"]);
    let (code, said) = server.refused(&["query", "-e", "INSERT INTO numbers VALUES (2), (0)"]);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("the job failed") && said.contains("inverse.sql:4"),
        "{said}"
    );
    server.done(&["restart", "inverse"]);
    server.done(&["query", "-e", "INSERT INTO numbers VALUES (1)"]);
    let answer = server.query("SELECT i FROM inverse ORDER BY i");
    assert_eq!(answer, "{\"i\":2}\n{\"i\":10}\n");
    let (_, said) = server.refused(&["query", "-e", "DROP TABLE numbers"]);
    assert!(said.contains("a table goes with its job"), "{said}");
    server.done(&["query", "-e", "CREATE TABLE t (a INT)"]);
    server.done(&["query", "-e", "CREATE TABLE IF NOT EXISTS t (a INT, b INT)"]);
}

#[test]
fn tables_take_rows_while_their_job_runs_and_only_then() {
    let server = Server::start();
    with_tables(&server, &[]);
    server.done(&["query", "-e", "INSERT INTO notes VALUES (1, 'a')"]);
    server.done(&["stop", "shop"]);
    let (code, said) = server.refused(&["query", "-e", "INSERT INTO notes VALUES (2, 'b')"]);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("job 'shop' is stopped") && said.contains("flowline restart shop"),
        "{said}"
    );
    // What was written is read while the job is stopped, and goes on afterwards.
    server.comes_to("SELECT * FROM notes", r#"{"id":1,"t":"a"}"#);
    server.done(&["restart", "shop"]);
    server.done(&["query", "-e", "INSERT INTO notes VALUES (2, 'b')"]);
    server.comes_to("SELECT COUNT(*) AS n FROM notes", r#"{"n":2}"#);
    // With other SQL the rows stay; a table that is gone takes its rows along.
    let more = TABLES.replace(
        "INSERT INTO totals",
        "CREATE TABLE ids (n BIGINT, PRIMARY KEY (n) NOT ENFORCED); INSERT INTO ids SELECT id FROM notes; INSERT INTO totals",
    );
    std::fs::write(server.path().join("shop.sql"), more).unwrap();
    server.done(&["upgrade", "shop", "shop.sql"]);
    server.done(&["query", "-e", "INSERT INTO notes VALUES (3, 'c')"]);
    server.comes_to("SELECT COUNT(*) AS n FROM notes", r#"{"n":3}"#);
    let (code, said) = server.refused(&["query", "-e", "INSERT INTO ids VALUES (1)"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("takes no rows from clients"), "{said}");
}
