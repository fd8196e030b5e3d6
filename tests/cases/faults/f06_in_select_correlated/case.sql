-- case: correlated IN of a subquery in SELECT
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
SELECT id, v IN (SELECT t2.v FROM t2 WHERE t2.g = t1.g) AS x FROM t1;
