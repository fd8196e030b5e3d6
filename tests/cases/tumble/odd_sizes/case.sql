-- case: sizes that divide no hour or day are still aligned to 1970; a size in days and hours
CREATE TABLE e (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' DAY) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT '7s' AS w, window_start, window_end, SUM(id) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '7' SECONDS)) GROUP BY window_start, window_end;
SELECT '25h' AS w, window_start, window_end, SUM(id) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1 01' DAY TO HOUR)) GROUP BY window_start, window_end;
SELECT '7d' AS w, window_start, window_end, SUM(id) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '7' DAYS)) GROUP BY window_start, window_end;
SELECT '0.25s' AS w, window_start, window_end, SUM(id) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '0.25' SECOND)) GROUP BY window_start, window_end;
