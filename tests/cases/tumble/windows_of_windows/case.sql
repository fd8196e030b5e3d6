-- case: 5-minute windows of 1-minute windows, over window_time
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW minutes AS
SELECT k, window_start, window_end, window_time AS wt, COUNT(*) AS n, SUM(v) AS s
FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY k, window_start, window_end, window_time;
CREATE TABLE out_w (window_start TIMESTAMP(3), window_end TIMESTAMP(3), k STRING, ms BIGINT, n BIGINT, top INT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_w',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_w
SELECT window_start, window_end, k, COUNT(*), SUM(n), MAX(s)
FROM TABLE(TUMBLE((SELECT k, wt, n, s FROM minutes), DESCRIPTOR(wt), INTERVAL '5' MINUTES))
GROUP BY window_start, window_end, k;
