-- case: aliases with the names of other columns in WHERE, GROUP BY and ORDER BY
CREATE TABLE t (id INT, a INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id AS a, a AS id FROM t WHERE a > 0;
SELECT a + 1 AS a, COUNT(*) AS n FROM t GROUP BY a;
SELECT id AS a, COUNT(*) AS id FROM t GROUP BY id;
SELECT -id AS id FROM t ORDER BY id LIMIT 2;
SELECT a AS id, id AS a FROM t ORDER BY id DESC, a LIMIT 2;
SELECT s.a FROM (SELECT id AS a, a AS id FROM t) AS s WHERE s.id = 3;
