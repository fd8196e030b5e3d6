-- case: COUNT, SUM, AVG, MIN, MAX per key; a row on an edge belongs to the window that starts there
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_w (window_start TIMESTAMP(3), window_end TIMESTAMP(3), window_time TIMESTAMP(3), k STRING, n BIGINT, nv BIGINT, s INT, a INT, mn INT, mx INT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_w',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_w
SELECT window_start, window_end, window_time, k, COUNT(*), COUNT(v), SUM(v), AVG(v), MIN(v), MAX(v)
FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '5' MINUTES))
GROUP BY k, window_start, window_end, window_time;
