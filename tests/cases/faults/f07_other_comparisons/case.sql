-- case: correlated aggregates with comparisons other than =
CREATE TABLE t (id INT, g INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.id, (SELECT COUNT(*) FROM t AS b WHERE b.g = a.g AND b.id < a.id) AS n FROM t AS a;
SELECT id FROM t AS a WHERE v > (SELECT MAX(b.v) FROM t AS b WHERE b.id < a.id);
SELECT id FROM t AS a WHERE 2 > (SELECT COUNT(DISTINCT b.v) FROM t AS b WHERE b.v >= a.v);
SELECT id, (SELECT SUM(b.v) + 1 FROM t AS b WHERE b.g = a.g AND b.v <> a.v) AS s FROM t AS a;
SELECT id FROM t AS a WHERE EXISTS (SELECT b.g FROM t AS b WHERE b.v > a.v GROUP BY b.g HAVING COUNT(*) > 1);
