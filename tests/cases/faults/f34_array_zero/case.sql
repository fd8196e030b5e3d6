-- case: a constant index of 0
-- error: 0
CREATE TABLE t (k STRING, v INT, xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT xs[0] AS x FROM t;
