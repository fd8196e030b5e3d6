-- case: an offset shifts the windows, a negative one too
CREATE TABLE e (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT 'plus' AS w, window_start, window_end, SUM(id) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '15' MINUTES)) GROUP BY window_start, window_end;
SELECT 'minus' AS w, window_start, window_end, SUM(id) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '-20' MINUTES)) GROUP BY window_start, window_end;
SELECT 'day' AS w, window_start, window_end, SUM(id) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' DAY, INTERVAL '8' HOURS)) GROUP BY window_start, window_end;
