-- case: elements of an ARRAY are counted from 1
-- error: starting at 1
CREATE TABLE t (a ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a[0] AS x FROM t;
