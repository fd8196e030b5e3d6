-- case: EXISTS over an aggregate with groups holds where there is one
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
SELECT id FROM t1 WHERE EXISTS (SELECT t2.g, COUNT(*) FROM t2 WHERE t2.g = t1.g GROUP BY t2.g);
SELECT id FROM t1 WHERE EXISTS (SELECT t2.g FROM t2 WHERE t2.g = t1.g GROUP BY t2.g HAVING COUNT(*) > 1);
