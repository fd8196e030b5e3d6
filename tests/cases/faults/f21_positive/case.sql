-- case: elements of an array by a positive index
CREATE TABLE t (id INT, n INT, xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, xs[n] AS a, xs[1] AS b, xs[3] AS c, xs[n + 1] AS d FROM t;
SELECT id FROM t WHERE xs[n] > 10;
