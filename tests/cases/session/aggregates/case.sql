-- case: AVG, COUNT DISTINCT and FILTER inside sessions that merge
CREATE TABLE e (k STRING, u STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, window_start, window_end, AVG(v) AS a, COUNT(DISTINCT u) AS us, COUNT(*) FILTER (WHERE v > 2) AS big, MIN(u) AS mn, TIMESTAMPDIFF(SECOND, window_start, window_end) AS secs FROM TABLE(SESSION(TABLE e PARTITION BY k, DESCRIPTOR(ts), INTERVAL '30' SECONDS)) GROUP BY k, window_start, window_end;
