-- case: JOIN without a condition
-- error: a JOIN needs a condition
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.id FROM t AS a JOIN t AS b;
