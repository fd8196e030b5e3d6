-- case: MIN and MAX of infinities and NaN in OVER
CREATE TABLE t (ts TIMESTAMP(3), k STRING, s STRING, WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT ts, k, MIN(CAST(s AS DOUBLE)) OVER w AS a, MAX(CAST(s AS DOUBLE)) OVER w AS b FROM t WINDOW w AS (PARTITION BY k ORDER BY ts);
SELECT ts, k, MIN(CAST(s AS DOUBLE)) OVER w AS a, MAX(CAST(s AS DOUBLE)) OVER w AS b FROM t WHERE k IN ('a', 'b', 'e', 'g', 'i') WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW);
