-- case: EXCEPT: rows of the first that are not in the second, once
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
SELECT k, v FROM a EXCEPT SELECT k, v FROM b;
SELECT n FROM (SELECT k, COUNT(*) AS n FROM a GROUP BY k) EXCEPT SELECT n FROM (SELECT k, COUNT(*) AS n FROM b GROUP BY k);
