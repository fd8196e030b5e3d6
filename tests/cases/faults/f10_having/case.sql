-- case: NaN in HAVING and FILTER
CREATE TABLE t (id INT, x DOUBLE, y DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, SUM(x) AS s FROM t GROUP BY id HAVING SUM(x) > 1;
SELECT id, SUM(x) AS s FROM t GROUP BY id HAVING SUM(x) <= SUM(y) OR SUM(x) <> SUM(y);
SELECT COUNT(*) FILTER (WHERE x > y) AS a, COUNT(*) FILTER (WHERE NOT (x > y)) AS b FROM t;
