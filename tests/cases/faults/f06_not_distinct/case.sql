-- case: EXISTS and NOT EXISTS by IS NOT DISTINCT FROM
-- differs: Flink drops rows whose key is NULL before a semi join and an anti join, also where NULL is to match NULL
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
SELECT id FROM t1 WHERE EXISTS (SELECT 1 FROM t2 WHERE t2.g IS NOT DISTINCT FROM t1.g);
SELECT id FROM t1 WHERE NOT EXISTS (SELECT 1 FROM t2 WHERE t2.g IS NOT DISTINCT FROM t1.g);
