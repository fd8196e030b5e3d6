-- case: a scalar subquery compared with < and =
CREATE TABLE t (id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE v < (SELECT MAX(v) FROM u);
SELECT id FROM t WHERE v = (SELECT MAX(v) FROM u);
SELECT id FROM t WHERE v >= (SELECT AVG(v) FROM u) AND id > 1;
