-- case: a correlated subquery for a value, without an aggregate
CREATE TABLE t (id INT, d INT, sal DECIMAL(10, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (id INT, name STRING, boss INT) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT t.id, (SELECT name FROM u WHERE u.id = t.d) AS name,
  (SELECT name FROM u WHERE u.boss = t.d + 1 AND u.id > 10) AS under FROM t;
SELECT id FROM t WHERE id >= (SELECT u.id FROM u WHERE u.id = t.d);
SELECT id, (SELECT DISTINCT 'x' || name FROM u WHERE u.id = t.d) AS x FROM t;
