-- case: a view with more names than columns
-- error: 'v'
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW v (x, y) AS SELECT id FROM t;
SELECT x FROM v;
