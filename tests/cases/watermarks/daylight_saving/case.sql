-- case: day windows of a TIMESTAMP_LTZ over the days that clocks change: 23 and 25 hours
-- not yet: 'table.local-time-zone' does not take
SET 'table.local-time-zone' = 'Europe/Berlin';
CREATE TABLE e (id INT, l TIMESTAMP_LTZ(3), WATERMARK FOR l AS l) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, window_end, window_time, SUM(id) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(l), INTERVAL '1' DAY)) GROUP BY window_start, window_end, window_time;
SELECT window_start, window_end, window_time, SUM(id) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(l), INTERVAL '1' HOUR)) GROUP BY window_start, window_end, window_time;
