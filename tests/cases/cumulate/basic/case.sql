-- case: steps of 2 minutes up to 6: a key appears at every later step of its window, changed or not
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_w (window_start TIMESTAMP(3), window_end TIMESTAMP(3), k STRING, n BIGINT, s INT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_w',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_w
SELECT window_start, window_end, k, COUNT(*), SUM(v)
FROM TABLE(CUMULATE(TABLE e, DESCRIPTOR(ts), INTERVAL '2' MINUTES, INTERVAL '6' MINUTES))
GROUP BY k, window_start, window_end;
