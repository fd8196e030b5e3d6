-- case: IN and NOT IN of uncorrelated subqueries with and without NULLs
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
SELECT id FROM t1 WHERE v IN (SELECT v FROM t2);
SELECT id FROM t1 WHERE v NOT IN (SELECT v FROM t2);
SELECT id FROM t1 WHERE v NOT IN (SELECT v FROM t2 WHERE v IS NOT NULL);
SELECT id FROM t1 WHERE v NOT IN (SELECT v FROM t2 WHERE v > 1000);
SELECT id FROM t1 WHERE g NOT IN (SELECT g FROM t2 WHERE v = 30);
