-- case: GROUPING SETS inside windows, with GROUPING(); a NULL key is not the NULL of an absent one
CREATE TABLE e (a STRING, b STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_w (window_start TIMESTAMP(3), a STRING, b STRING, ga BIGINT, gb BIGINT, n BIGINT, s INT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_w',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_w
SELECT window_start, a, b, GROUPING(a), GROUPING(b), COUNT(*), SUM(v)
FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, GROUPING SETS ((a, b), (a), ());
