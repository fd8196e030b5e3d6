-- case: text cast to DATE and TIMESTAMP
-- differs: text must be a whole date (and time) to be one: Flink also takes a year alone ('7' is 0007-01-01), turns 2025-02-30 into 2025-02-28 and knows no T
CREATE TABLE t (s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, TRY_CAST(s AS DATE) AS dt, TRY_CAST(s AS TIMESTAMP(3)) AS ts FROM t;
