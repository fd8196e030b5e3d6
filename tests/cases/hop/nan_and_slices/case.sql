-- case: slices are put together newest first: which value is first decides what MIN and MAX make of NaN
CREATE TABLE e (k STRING, d DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, k, SUM(d) AS s, MIN(d) AS mi, MAX(d) AS ma, COUNT(*) AS n
FROM TABLE(HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '3' MINUTE))
GROUP BY window_start, window_end, k;
SELECT window_end, k, MIN(d) AS mi, MAX(d) AS ma, COUNT(*) AS n
FROM TABLE(CUMULATE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '3' MINUTE))
GROUP BY window_start, window_end, k;
