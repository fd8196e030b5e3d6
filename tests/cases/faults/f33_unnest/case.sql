-- case: UNNEST of an array
-- not yet: UNNEST
CREATE TABLE t (id INT, xs ARRAY<INT>, rs ARRAY<ROW<a INT, b STRING>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, x FROM t CROSS JOIN UNNEST(xs) AS u (x);
SELECT id, a, b FROM t CROSS JOIN UNNEST(rs) AS u (a, b);
SELECT id, x FROM t LEFT JOIN UNNEST(xs) AS u (x) ON TRUE;
