-- case: a number does not compare with a text
-- error: =
CREATE TABLE t (i INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT i = s AS e FROM t;
