-- case: infinities and NaN as JSON gives and takes them
CREATE TABLE t (k STRING, d DOUBLE, f FLOAT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, d, f FROM t;
SELECT k, MAX(d) AS a, MIN(f) AS b, SUM(d) AS c, COUNT(d) AS n FROM t GROUP BY k;
