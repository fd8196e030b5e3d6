-- case: MIN and MAX of infinities over rows that are taken back
CREATE TABLE t (k STRING, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT n, MIN(m) AS a, MAX(m) AS b FROM (SELECT k, COUNT(*) AS n, MAX(CAST(s AS DOUBLE)) AS m FROM t WHERE k IN ('a', 'b', 'e', 'g', 'i') GROUP BY k) GROUP BY n;
SELECT MIN(m) AS a, MAX(m) AS b FROM (SELECT k, MIN(CAST(s AS DOUBLE)) AS m FROM t WHERE k IN ('a', 'b', 'e') GROUP BY k);
