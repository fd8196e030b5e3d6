//! How mistakes are told, and mangled texts that must not panic.

use super::*;

pub(super) fn mistakes(text: &str) -> String {
    let file = SourceFile::new("test.sql", text);
    match parse_script(&file) {
        Ok(script) => panic!("parsed:\n{text}\n{:?}", script.statements),
        Err(errors) => {
            assert!(!errors.is_empty());
            listed(&errors)
        }
    }
}

/// A text and what each of its mistakes must say, in order: the place, then parts of message and help.
fn told(text: &str, expected: &[&[&str]]) {
    let all = mistakes(text);
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{text}\n{all}");
    for (line, parts) in lines.iter().zip(expected) {
        assert!(line.starts_with(parts[0]), "{text}\n{all}");
        for part in &parts[1..] {
            assert!(line.contains(part), "{text}\n{all}\nlacks {part}");
        }
    }
}

#[test]
fn mistakes_are_told() {
    // One case a mistake.
    told(
        "SELECT * FROM a JOIN (SELECT x FROM y WHERE) z ON a.x = z.x",
        &[&["1:44 ", "an expression, found )"]],
    );
    told(
        "SELECT COUNT(* FROM t",
        &[&["1:13 ", "this ( is never closed"]],
    );
    told(
        "SELECT a.b.timestamp FROM t",
        &[&["1:12 ", "`timestamp` is a reserved word"]],
    );
    told(
        "SELECT a, FROM t",
        &[&["1:9 ", "trailing comma before FROM"]],
    );
    told(
        "SELECT a FROM t WHERE",
        &[&["1:22 ", "an expression", "end of the statement"]],
    );
    told("SELEC a FROM t", &[&["1:1 ", "SELEC", "SELECT?"]]);
    told(
        "SELECT time FROM t",
        &[&["1:8 ", "`time` is a reserved word", "backticks: `time`"]],
    );
    told(
        "SELECT a AS value FROM t",
        &[&["1:13 ", "value", "`value`"]],
    );
    told("SELECT 'abc FROM t", &[&["1:8 ", "string is never closed"]]);
    told(
        "SELECT 1;\nSELECT 2 /* x",
        &[&["2:10 ", "comment is never closed"]],
    );
    told("SELECT `a FROM t", &[&["1:8 ", "name is never closed"]]);
    told(
        "SELECT \"a\" FROM t",
        &[&["1:8 ", "no double quotes", "'a' or `a`"]],
    );
    told("SELECT a::INT FROM t", &[&["1:9 ", "::", "CAST"]]);
    told(
        "SELECT (a + 1 FROM t",
        &[&["1:8 ", "this ( is never closed"]],
    );
    told("SELECT f(a, b", &[&["1:9 ", "this ( is never closed"]]);
    told(
        "SELECT a b c FROM t;\nSELECT 1 +;\nSELECT x FROM (SELECT y z w FROM t);\nSELECT 1",
        &[
            &["1:12 ", "end of the statement, found c", "comma"],
            &["2:11 "],
            &["3:27 ", "found w"],
        ],
    );
    told(
        "SELECT * FROM (SELECT a,, b FROM (SELECT 1) x) y",
        &[&["1:25 ", "an expression"]],
    );
    told(
        "SELECT * FROM TABLE(TUMBLE(DATA => TABLE t, SIZE => INTERVAL 5 MINUTE))",
        &[&["1:62 ", "in quotes"]],
    );
    told(
        "SELECT 1 CREATE TABLE t (a INT)",
        &[&["1:10 ", "CREATE", "semicolon"]],
    );
    told(
        "CREATE TABEL t (a INT)",
        &[&["1:8 ", "TABEL", "CREATE TABLE"]],
    );
    told(
        "CREATE TABLE t (\n time TIMESTAMP(3),\n \"x\" INT\n)",
        &[&["3:2 ", "no double quotes"]],
    );
    told(
        "CREATE TABLE t (\n  time TIMESTAMP(3),\n  a INTT,\n  b\n  c INT\n  d INT,\n  PRIMARY KEY (a),\n  d STRING,\n  WATERMARK FOR ts AS ts,\n  WATERMARK FOR ts AS ts,\n) WITH ('a' 'b', 'c' = 'd', 'c' = 'e' 'f' = 'g', x = 'y')",
        &[
            &["2:3 ", "`time` is a reserved word", "`time`"],
            &["3:5 ", "no type INTT", "write INT"],
            &["5:3 ", "no type C"],
            &["7:3 ", "lacks NOT ENFORCED", "NOT ENFORCED"],
            &["10:3 ", "WATERMARK FOR stands twice"],
            &["10:25 ", "trailing comma"],
            &["11:9 ", "lacks ="],
            &["11:29 ", "stands twice"],
            &["11:39 ", "comma missing"],
            &["11:50 ", "in quotes", "'x'"],
        ],
    );
    told(
        "CREATE TABLE t (a INT b INT)",
        &[&["1:23 ", "found b", "comma"]],
    );
    told(
        "CREATE TABLE t (a INT, a INT)",
        &[&["1:24 ", "`a` stands twice"]],
    );
    told(
        "CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED, PRIMARY KEY (a) NOT ENFORCED)",
        &[&["1:49 ", "PRIMARY KEY stands twice"]],
    );
    told(
        "CREATE TABLE t (a INT, PRIMARY KEY (b) NOT ENFORCED)",
        &[&["1:37 ", "unknown column `b`"]],
    );
    told(
        "CREATE TABLE t (a INT",
        &[&["1:22 ", ", or )", "never closed"]],
    );
    told(
        "CREATE TABLE t (a INT) LIKE u WITH ('a' = 'b')",
        &[&["1:31 ", "WITH stands too late"]],
    );
    told(
        "SELECT * FROM t /*+ BROADCAST(t) */",
        &[&["1:21 ", "BROADCAST"]],
    );
    told(
        "SELECT /*+ OPTIONS('a'='b') */ 1",
        &[&["1:8 ", "after the name of a table"]],
    );
    told(
        "SELECT * FROM t /*+ OPTIONS(a = b) */",
        &[&["1:17 ", "cannot be read"]],
    );
    told(
        "INSERT INTO t SELECT 1; END;",
        &[&["1:25 ", "END without BEGIN"]],
    );
    told(
        "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1;",
        &[&["1:1 ", "never closed", "END;"]],
    );
    told(
        "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1 END;",
        &[
            &["1:1 ", "never closed"],
            &["1:52 ", "semicolon is missing before END"],
        ],
    );
    told("EXECUTE STATEMENT SET BEGIN END;", &[&["1:29 ", "empty"]]);
    told(
        "EXECUTE STATEMENT SET BEGIN\nINSERT INTO t SELECT ;\nSELECT 1;\nINSERT INTO u SELECT a,;\nEND;\nSELEKT",
        &[
            &["2:"],
            &["3:1 ", "INSERT INTO statements only"],
            &["4:23 ", "trailing comma"],
            &["6:1 ", "SELECT?"],
        ],
    );
    told("SET 'a' 'b'", &[&["1:9 ", "expected =", ""]]);
    told(
        "INSERT INTO t PARTITION (a = 1) SELECT 1",
        &[&["1:15 ", "INSERT INTO ... PARTITION"]],
    );
    told("SELECT CAST(a, INT) FROM t", &[&["1:14 ", "expected AS"]]);
    told(
        "SELECT MAP['a'] FROM t",
        &[&["1:8 ", "key without a value"]],
    );
}

#[test]
fn unsupported_statements_are_named() {
    for (text, name) in [
        ("CREATE FUNCTION f AS 'x'", "CREATE FUNCTION"),
        (
            "CREATE TEMPORARY SYSTEM FUNCTION f AS 'x'",
            "CREATE FUNCTION",
        ),
        ("CREATE CATALOG c WITH ('a'='b')", "CREATE CATALOG"),
        ("CREATE DATABASE c", "CREATE DATABASE"),
        (
            "CREATE MODEL m INPUT (a INT) OUTPUT (b INT)",
            "CREATE MODEL",
        ),
        (
            "CREATE MATERIALIZED TABLE m AS SELECT 1",
            "CREATE MATERIALIZED TABLE",
        ),
        (
            "CREATE OR REPLACE TABLE t AS SELECT 1",
            "CREATE OR REPLACE TABLE",
        ),
        (
            "CREATE OR ALTER MATERIALIZED TABLE t AS SELECT 1",
            "CREATE OR ALTER TABLE",
        ),
        (
            "CREATE TABLE t WITH ('a'='b') AS SELECT 1",
            "CREATE TABLE ... AS SELECT",
        ),
        (
            "CREATE TABLE t (a INT) DISTRIBUTED BY (a) INTO 3 BUCKETS",
            "DISTRIBUTED",
        ),
        ("USE c", "USE"),
        ("USE CATALOG c", "USE CATALOG"),
        ("LOAD MODULE m", "LOAD MODULE"),
        ("UNLOAD MODULE m", "UNLOAD MODULE"),
        ("ADD JAR 'x'", "ADD JAR"),
        ("UPDATE t SET a = 1", "UPDATE"),
        ("DELETE FROM t", "DELETE"),
        ("TRUNCATE TABLE t", "TRUNCATE TABLE"),
        ("ANALYZE TABLE t COMPUTE STATISTICS", "ANALYZE TABLE"),
        ("CALL p()", "CALL"),
        ("STOP JOB 'x'", "STOP JOB"),
        ("INSERT OVERWRITE t SELECT 1", "INSERT OVERWRITE"),
        ("ALTER TABLE t ADD a INT", "ALTER TABLE ... ADD"),
        ("ALTER TABLE t RENAME TO u", "ALTER TABLE ... RENAME"),
        ("ALTER VIEW v AS SELECT 1", "ALTER VIEW"),
        ("DROP FUNCTION f", "DROP FUNCTION"),
        ("SHOW JOBS", "SHOW JOBS"),
        ("SHOW CURRENT CATALOG", "SHOW CURRENT CATALOG"),
        ("SHOW TABLES LIKE 'x'", "SHOW with LIKE"),
        ("DESCRIBE EXTENDED t", "DESCRIBE EXTENDED"),
        ("EXECUTE PLAN 'x'", "EXECUTE PLAN"),
        (
            "COMPILE PLAN 'x' FOR INSERT INTO t SELECT 1",
            "COMPILE PLAN",
        ),
    ] {
        let all = mistakes(text);
        assert!(
            all.contains(&format!("flowline does not support {name} yet")),
            "{text}\n{all}"
        );
        assert_eq!(all.lines().count(), 1, "{text}\n{all}");
        assert!(!all.contains("| -"), "no help: {all}");
    }
}

/// Every public text of this file, mangled: nothing may panic, hang or report an empty list.
#[test]
fn mangled_texts_never_panic() {
    let source = concat!(include_str!("../tests.rs"), include_str!("mistakes.rs"));
    let pieces: Vec<&str> = source
        .split('"')
        .filter(|s| s.len() > 12 && s.len() < 2500)
        .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % n.max(1) as u64).unwrap()
    };
    let run = |text: &str| {
        let file = SourceFile::new("mangled.sql", text);
        if let Err(errors) = parse_script(&file) {
            assert!(!errors.is_empty());
        }
    };
    for text in [TABLE, SCRIPT] {
        for (end, _) in text.char_indices() {
            run(&text[..end]);
        }
    }
    let big = [TABLE, SCRIPT];
    for piece in pieces.iter().chain(&big) {
        let chars: Vec<char> = piece.chars().collect();
        for _ in 0..40 {
            let mut mangled = chars.clone();
            for _ in 0..=random(3) {
                match random(3) {
                    0 if !mangled.is_empty() => drop(mangled.remove(random(mangled.len()))),
                    1 => mangled.insert(
                        random(mangled.len()),
                        *random_of(
                            &['(', ')', ',', ';', '\'', '`', '<', '>', '*', 'é'],
                            random(10),
                        ),
                    ),
                    _ if !mangled.is_empty() => {
                        let (i, j) = (random(mangled.len()), random(mangled.len()));
                        mangled.swap(i, j);
                    }
                    _ => {}
                }
            }
            run(&mangled.iter().collect::<String>());
        }
        if chars.len() < 200 {
            for end in 0..chars.len() {
                run(&chars[..end].iter().collect::<String>());
            }
        }
    }
    for chain in [
        "1 + ",
        "x OR ",
        "a IS NULL IS NULL AND ",
        "(1) + ",
        "'a' || ",
        "1, ",
        "a[1]",
        "SELECT 1 UNION ALL ",
        "a.",
        "CAST(x AS INT ARRAY) = ",
    ] {
        run(&format!("SELECT {}1", chain.repeat(20_000)));
    }
    run(&format!(
        "SELECT CAST(x AS INT {})",
        "ARRAY ".repeat(20_000)
    ));
    for nested in [
        "(",
        "f(",
        "FLOOR(",
        "CASE ",
        "NOT ",
        "-",
        "ARRAY[",
        "CAST(",
        "(SELECT * FROM (",
        "f(a => ",
        "TRIM(",
        "a.f(",
        "MAP[1, ",
        "INTERVAL ",
        "x IN (",
    ] {
        run(&format!("SELECT {}", nested.repeat(60)));
        run(&format!("SELECT * FROM {}", nested.repeat(60)));
    }
}

fn random_of<T>(items: &[T], i: usize) -> &T {
    &items[i % items.len()]
}
