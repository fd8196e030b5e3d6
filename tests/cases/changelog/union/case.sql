-- case: UNION leaves one of equal rows, NULLs being equal
CREATE TABLE a (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v FROM a UNION SELECT k, v FROM b;
SELECT k FROM a UNION SELECT k FROM b UNION SELECT 'more' FROM a;
SELECT COUNT(*) AS n FROM (SELECT v FROM a UNION SELECT v FROM b);
