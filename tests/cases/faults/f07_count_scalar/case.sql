-- case: a correlated COUNT as a value is 0 where nothing matches
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
SELECT id, (SELECT COUNT(*) FROM t2 WHERE t2.g = t1.g) AS n FROM t1;
SELECT id FROM t1 WHERE (SELECT COUNT(*) FROM t2 WHERE t2.g = t1.g) = 0;
SELECT id, (SELECT MAX(v) FROM t2 WHERE t2.g = t1.g) AS m FROM t1;
SELECT id, (SELECT COUNT(t2.v) + 1 FROM t2 WHERE t2.g = t1.g) AS n FROM t1;
