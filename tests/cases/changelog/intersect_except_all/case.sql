-- case: INTERSECT ALL and EXCEPT ALL count how often a row is there
-- not yet: ALL is not supported
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
SELECT k, v FROM a INTERSECT ALL SELECT k, v FROM b;
SELECT k, v FROM a EXCEPT ALL SELECT k, v FROM b;
