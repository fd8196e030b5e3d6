-- case: sessions of the 1-minute windows of a table
CREATE TABLE e (k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW busy AS SELECT k, window_time AS wt, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY k, window_start, window_end, window_time HAVING COUNT(*) > 1;
SELECT k, window_start, window_end, COUNT(*) AS minutes_, SUM(n) AS n FROM TABLE(SESSION(TABLE busy PARTITION BY k, DESCRIPTOR(wt), INTERVAL '2' MINUTES)) GROUP BY k, window_start, window_end;
