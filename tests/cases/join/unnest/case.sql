-- case: UNNEST of arrays, of rows and WITH ORDINALITY
-- not yet: UNNEST
CREATE TABLE e (id INT, xs ARRAY<INT>, rs ARRAY<ROW<a INT, b STRING>>) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, x FROM e CROSS JOIN UNNEST(xs) AS t (x);
SELECT id, a, b FROM e CROSS JOIN UNNEST(rs) AS t (a, b);
SELECT id, x FROM e LEFT JOIN UNNEST(xs) AS t (x) ON TRUE;
SELECT id, x, o FROM e CROSS JOIN UNNEST(xs) WITH ORDINALITY AS t (x, o);
