-- case: MIN, MAX, SUM and AVG over what is never true are one row of NULL
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT MIN(id) AS a, MAX(s) AS b, SUM(g) AS c, AVG(id) AS d FROM t WHERE FALSE;
SELECT COUNT(*) AS n, SUM(id) AS s, MAX(id) + 1 AS m, COALESCE(SUM(g), 0) AS z FROM t WHERE id = CAST(NULL AS INT);
