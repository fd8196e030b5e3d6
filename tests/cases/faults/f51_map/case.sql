-- case: a value of a map by a key from a column
CREATE TABLE t (id INT, s STRING, n INT, m MAP<STRING, INT>, r MAP<STRING, ROW<a INT, b STRING>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, m[s] AS a, m['x'] AS b, m[CONCAT(s, '')] AS c, m['none'] AS d, CARDINALITY(m) AS e FROM t;
SELECT id FROM t WHERE m[s] > 4;
SELECT id, COALESCE(m[s], 0) + 1 AS a, m[s] IS NULL AS b, CASE WHEN m[s] > 4 THEN 'y' END AS c FROM t;
