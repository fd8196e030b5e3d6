-- case: a table dropped and declared anew within one script
CREATE TABLE t (id INT, s STRING, k AS UPPER(s)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, k FROM t;
DROP TABLE t;
CREATE TABLE t (id INT, s STRING, k AS LOWER(s), n AS id * 2) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, k, n FROM t;
