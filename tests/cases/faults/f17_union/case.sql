-- case: rows with other names in UNION ALL, CASE and COALESCE
CREATE TABLE t (id INT, r ROW<a INT, b STRING>, s ROW<b INT, a STRING>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT r FROM t UNION ALL SELECT s FROM t;
SELECT id, COALESCE(r, s) AS c FROM t;
SELECT id, CASE WHEN id = 1 THEN s ELSE r END AS c FROM t;
SELECT id, r = s AS e FROM t;
