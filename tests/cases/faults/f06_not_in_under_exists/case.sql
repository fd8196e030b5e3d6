-- case: NOT IN with NULLs inside a correlated EXISTS
CREATE TABLE t (id INT, g INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE o (g INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'o',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE p (v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'p',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM o WHERE o.g = t.g AND o.v NOT IN (SELECT v FROM p));
