-- case: INT overflow in arithmetic
CREATE TABLE t (a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a, b, a + b AS p, a * b AS x, CAST(b AS TINYINT) * CAST(100 AS TINYINT) AS t FROM t;
