-- case: IN with a subquery over FLOAT and DOUBLE columns of the same name
CREATE TABLE t1 (id INT, d DOUBLE, f FLOAT) WITH (
  'connector' = 'kafka',
  'topic' = 't1',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE t2 (d DOUBLE, f FLOAT) WITH (
  'connector' = 'kafka',
  'topic' = 't2',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, 'in d' AS w FROM t1 WHERE d IN (SELECT d FROM t2)
UNION ALL SELECT id, 'in f' FROM t1 WHERE f IN (SELECT f FROM t2)
UNION ALL SELECT id, 'not in' FROM t1 WHERE d NOT IN (SELECT d FROM t2);
