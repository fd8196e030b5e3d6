-- case: an offset; AVG, DISTINCT and MIN over slices that are shared between windows
CREATE TABLE e (u STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, window_end, COUNT(DISTINCT u) AS us, AVG(v) AS a, MIN(v) AS mn, MAX(v) AS mx, COUNT(*) FILTER (WHERE v > 2) AS big
FROM TABLE(HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '10' SECONDS, INTERVAL '30' SECONDS, INTERVAL '3' SECONDS))
GROUP BY window_start, window_end;
SELECT window_start, window_end, COUNT(*) AS n FROM TABLE(HOP(DATA => TABLE e, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '30' SECONDS, SIZE => INTERVAL '1' MINUTE)) GROUP BY window_start, window_end HAVING COUNT(*) > 1;
