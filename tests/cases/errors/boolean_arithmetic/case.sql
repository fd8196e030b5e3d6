-- case: a BOOLEAN has no arithmetic with a number
-- error: BOOLEAN
CREATE TABLE t (i INT, b BOOLEAN) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT i + b AS x FROM t;
