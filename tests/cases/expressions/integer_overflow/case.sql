-- case: INT overflow in arithmetic
-- differs: Flink wraps silently; flowline stops with an error
-- error: overflow
CREATE TABLE t (a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a, b, a + b AS p, a * b AS x, CAST(b AS TINYINT) * CAST(100 AS TINYINT) AS t FROM t;
