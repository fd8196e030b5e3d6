-- case: common tables with the names of tables
CREATE TABLE t (id INT, a INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
WITH t AS (SELECT id + 100 AS id FROM t) SELECT id FROM t;
WITH t AS (SELECT id FROM u), s AS (SELECT id FROM t) SELECT id FROM s;
WITH z AS (SELECT id FROM t) SELECT z.id FROM (SELECT id + 1 AS id FROM z) AS z;
WITH z (p, q) AS (SELECT id, a FROM t) SELECT q, p FROM z;
SELECT m, n FROM t AS w (m, n);
