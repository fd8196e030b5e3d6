-- case: SET in the script; a setting quoted or not
-- not yet: 'table.local-time-zone' does not take
SET 'table.local-time-zone' = 'America/New_York';
CREATE TABLE t (id INT, l TIMESTAMP_LTZ(3), WATERMARK FOR l AS l - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(l), INTERVAL '1' DAY)) GROUP BY window_start, window_end;
SET 'table.local-time-zone' = 'UTC';
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(l), INTERVAL '1' DAY)) GROUP BY window_start, window_end;
