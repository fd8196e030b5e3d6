-- case: ORDER BY event time leaves out late rows
-- differs: Flink leaves out only rows at or behind the last time that it gave out; flowline every row at or behind the watermark of its own source partition, so that the same rows are late however partitions interleave
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, ts FROM e ORDER BY ts;
SELECT k, v, ts FROM e ORDER BY ts, v;
