//! Any script over a few tables gives a plan or mistakes.
#![no_main]

use flowline::session::{Session, SessionConfig};
use flowline::sql::SourceFile;

/// A table with a column of each kind, one with a key and changes, and one that takes rows.
const TABLES: &str = "
    CREATE TABLE t (id INT, b BOOLEAN, i INT, l BIGINT, f FLOAT, d DOUBLE, e DECIMAL(10, 2), s STRING, c CHAR(3), x BYTES,
      dt DATE, tm TIME, a ARRAY<INT>, m MAP<STRING, INT>, r ROW<p INT, q ROW<s STRING>>, z TIMESTAMP_LTZ(3), pt AS PROCTIME(),
      ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
      WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'h:1', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
    CREATE TABLE u (id INT, s STRING, d DOUBLE, PRIMARY KEY (id) NOT ENFORCED)
      WITH ('connector' = 'upsert-kafka', 'topic' = 'u', 'properties.bootstrap.servers' = 'h:1', 'key.format' = 'json', 'value.format' = 'json');
    CREATE TABLE o (id BIGINT, s STRING, d DOUBLE) WITH ('connector' = 'print');
    CREATE VIEW v AS SELECT id, r.q.s AS s, COUNT(*) AS n FROM t GROUP BY id, r.q.s;";

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut session = Session::new(SessionConfig::default());
    let declared = session.load(&SourceFile::new("tables.sql", TABLES));
    assert!(declared.is_ok(), "{declared:?}");
    if session.load(&SourceFile::new("fuzz.sql", text)).is_ok() {
        let _ = session.explain_all(true);
    }
});
