-- case: MIN and MAX of infinities and NaN in GROUP BY
CREATE TABLE t (k STRING, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, MIN(CAST(s AS DOUBLE)) AS a, MAX(CAST(s AS DOUBLE)) AS b FROM t WHERE k IN ('a', 'b', 'e', 'g', 'i') GROUP BY k;
SELECT k, MIN(CAST(s AS FLOAT)) AS a, MAX(CAST(s AS FLOAT)) AS b FROM t WHERE k IN ('a', 'b', 'e', 'g') GROUP BY k;
SELECT MIN(CAST(s AS DOUBLE)) AS a, MAX(CAST(s AS DOUBLE)) AS b FROM t WHERE k = 'b';
