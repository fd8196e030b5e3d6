-- case: an array at the top is several rows; blank lines are skipped
-- source: filesystem
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
