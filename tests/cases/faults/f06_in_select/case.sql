-- case: IN of a subquery in SELECT, with NULLs on either side
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
SELECT id, v IN (SELECT t2.v FROM t2 WHERE t2.v IS NOT NULL) AS x FROM t1;
SELECT id, v NOT IN (SELECT t2.v FROM t2) AS x FROM t1;
