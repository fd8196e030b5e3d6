-- case: group keys that are expressions, and expressions over aggregates
CREATE TABLE e (url STRING, ms INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_w (window_start TIMESTAMP(3), site STRING, slow BOOLEAN, n BIGINT, spread INT, label STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'out_w',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_w
SELECT window_start, UPPER(SUBSTRING(url, 1, 2)), ms > 100, COUNT(*), MAX(ms) - MIN(ms), 'n=' || CAST(COUNT(*) AS STRING)
FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, UPPER(SUBSTRING(url, 1, 2)), ms > 100;
