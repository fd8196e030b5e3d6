-- case: a correlated subquery for a value that finds two rows
-- error: instead of one
CREATE TABLE t (id INT, d INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (id INT, name STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT t.id, (SELECT name FROM u WHERE u.id = t.d) AS name FROM t;
