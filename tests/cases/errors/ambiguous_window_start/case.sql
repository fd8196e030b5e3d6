-- case: a window table function over a table that has a column window_start of its own
-- error: window_start
CREATE TABLE t (id INT, window_start TIMESTAMP(3), WATERMARK FOR window_start AS window_start) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(window_start), INTERVAL '1' HOUR)) GROUP BY window_start, window_end;
