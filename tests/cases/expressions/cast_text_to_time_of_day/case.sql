-- case: text cast to TIME
CREATE TABLE t (s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, TRY_CAST(s AS TIME) AS tm FROM t;
