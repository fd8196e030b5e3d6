-- case: NaN, 0.0 and -0.0 in comparisons of FLOAT and DOUBLE
CREATE TABLE t (id INT, a FLOAT, b FLOAT, c DOUBLE, d DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, a = b AS eq, a <> b AS ne, a < b AS lt, a <= b AS le, a > b AS gt, a >= b AS ge, a IS DISTINCT FROM b AS di, a IS NOT DISTINCT FROM b AS nd FROM t;
SELECT id, c = d AS eq, c <> d AS ne, c < d AS lt, c <= d AS le, c > d AS gt, c >= d AS ge, c IS DISTINCT FROM d AS di, NULLIF(c, d) AS nu, GREATEST(c, d) AS g, LEAST(c, d) AS l FROM t;
SELECT id, c = 0e0 AS eq, c <> 0e0 AS ne, c > 1e0 AS gt, NOT (c > 1e0) AS ng, c BETWEEN -1e0 AND 2e0 AS bt, c NOT BETWEEN -1e0 AND 2e0 AS nb, CASE c WHEN 0e0 THEN 'z' ELSE 'o' END AS cs, a = c AS mix FROM t WHERE b = 1.5e0;
SELECT id FROM t WHERE c > d;
