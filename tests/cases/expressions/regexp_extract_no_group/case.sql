-- case: REGEXP_EXTRACT of a group that did not match or is not there
CREATE TABLE t (s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, REGEXP_EXTRACT(s, 'foo(x)?bar', 1) AS n, REGEXP_EXTRACT(s, 'foo(bar)', 0) AS g0 FROM t;
