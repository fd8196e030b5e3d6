-- case: text cast to DATE and TIMESTAMP
CREATE TABLE t (s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, TRY_CAST(s AS DATE) AS dt, TRY_CAST(s AS TIMESTAMP(3)) AS ts FROM t;
