-- case: INT / 0 fails the job
-- error: zero
CREATE TABLE t (a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a / b AS q FROM t;
