-- case: two correlated subqueries and one within another
CREATE TABLE t1 (id INT, g INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't1',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE t2 (g INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't2',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t1 WHERE EXISTS (SELECT 1 FROM t2 WHERE t2.g = t1.g) AND NOT EXISTS (SELECT 1 FROM t2 WHERE t2.v = t1.v AND t2.g = 2);
SELECT id FROM t1 WHERE v IN (SELECT t2.v FROM t2 WHERE t2.g IN (SELECT g FROM t2 WHERE v IS NULL));
SELECT id FROM t1 WHERE EXISTS (SELECT 1 FROM t2 WHERE t2.g = t1.g AND t2.v IN (SELECT v FROM t1));
