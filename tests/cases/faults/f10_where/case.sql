-- case: NaN in WHERE, CASE and IN
CREATE TABLE t (id INT, x DOUBLE, y DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE x > 1;
SELECT id FROM t WHERE x >= y;
SELECT id FROM t WHERE x <> y;
SELECT id FROM t WHERE NOT (x <= y);
SELECT id, CASE WHEN x > y THEN 'gt' WHEN x < y THEN 'lt' WHEN x = y THEN 'eq' ELSE 'none' END AS c FROM t;
SELECT id, x IN (1, 2, 0) AS a, x IN (CAST('NaN' AS DOUBLE), 2.0) AS b, NULLIF(x, y) AS c FROM t WHERE id <> 7;
