-- case: all fields of a row with r.*
CREATE TABLE t (id INT, r ROW<city STRING, zip INT, geo ROW<lat DOUBLE, lon DOUBLE>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, t.r.* FROM t;
