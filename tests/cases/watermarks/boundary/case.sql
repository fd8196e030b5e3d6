-- case: a bound of 10 s: a window closes exactly when the watermark reaches its end less 1 ms, not one ms before
-- Row 4 makes the watermark 00:04:59.998: the window is open and row 5 counts; row 6 makes it 00:04:59.999: row 7 is late.
CREATE TABLE e (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_w (window_start TIMESTAMP(3), window_end TIMESTAMP(3), n BIGINT, ids BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_w',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_w
SELECT window_start, window_end, COUNT(*), SUM(CAST(id AS BIGINT))
FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '5' MINUTES))
GROUP BY window_start, window_end;
