-- case: OVER without PARTITION BY: late rows for the whole stream
-- differs: Flink leaves out only rows at or behind the last time that it gave out; flowline every row at or behind the watermark of its own source partition, as with UNBOUNDED PRECEDING, so that the same rows are late however partitions interleave
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT v, ts, COUNT(*) OVER (ORDER BY ts) AS n FROM e;
SELECT v, ts, COUNT(*) OVER (ORDER BY ts ROWS BETWEEN 100 PRECEDING AND CURRENT ROW) AS n FROM e;
SELECT v, ts, COUNT(*) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) AS n FROM e;
