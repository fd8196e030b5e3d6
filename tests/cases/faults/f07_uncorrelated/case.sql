-- case: EXISTS over uncorrelated aggregates
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
SELECT id FROM t1 WHERE EXISTS (SELECT COUNT(*) FROM t2 WHERE v > 0);
SELECT id FROM t1 WHERE EXISTS (SELECT g FROM t2 WHERE v > 1000 GROUP BY g);
SELECT id FROM t1 WHERE NOT EXISTS (SELECT g FROM t2 WHERE v > 1000 GROUP BY g);
