-- case: NaN and signed zeros in comparisons
CREATE TABLE t (id INT, x DOUBLE, y DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, x > y AS gt, x >= y AS ge, x < y AS lt, x <= y AS le, x = y AS eq, x <> y AS ne FROM t;
SELECT id, x > 1 AS gt, x >= 1 AS ge, x < 1 AS lt, x <= 1 AS le, x = 1 AS eq, x <> 1 AS ne, x BETWEEN 0 AND 5 AS bt, x NOT BETWEEN 0 AND 5 AS nb FROM t;
SELECT id, NOT (x > y) AS a, NOT (x = y) AS b, x IS DISTINCT FROM y AS c, x IS NOT DISTINCT FROM y AS d FROM t;
