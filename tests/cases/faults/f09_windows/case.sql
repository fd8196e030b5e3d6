-- case: MIN and MAX of infinities in windows
CREATE TABLE t (ts TIMESTAMP(3), k STRING, s STRING, WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, k, MIN(CAST(s AS DOUBLE)) AS a, MAX(CAST(s AS DOUBLE)) AS b FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE) WHERE k IN ('a', 'b', 'e', 'g', 'i') GROUP BY window_start, window_end, k;
SELECT window_start, k, MIN(CAST(s AS FLOAT)) AS a, MAX(CAST(s AS FLOAT)) AS b FROM HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '20' SECOND) WHERE k IN ('a', 'b', 'e', 'g') GROUP BY window_start, window_end, k;
SELECT k, MIN(CAST(s AS DOUBLE)) AS a, MAX(CAST(s AS DOUBLE)) AS b FROM SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' SECOND) WHERE k IN ('a', 'b', 'e', 'g') GROUP BY window_start, window_end, k;
