-- case: a watermark on a column that is no timestamp
-- error: event_time
CREATE TABLE t (id INT, event_time STRING, WATERMARK FOR event_time AS event_time) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t;
