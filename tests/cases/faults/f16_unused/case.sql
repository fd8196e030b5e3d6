-- case: a computed column that would fail and that nobody reads
CREATE TABLE t (id INT, s STRING, n AS CAST(s AS INT), q AS 1 / id) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s FROM t;
SELECT n FROM t WHERE id = 1;
SELECT COUNT(*) AS c FROM t;
