-- case: an element at 0
CREATE TABLE t (id INT, n INT, xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, xs[n] AS a FROM t;
