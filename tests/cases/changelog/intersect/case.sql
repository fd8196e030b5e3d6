-- case: INTERSECT: rows of both, once
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
SELECT k, v FROM a INTERSECT SELECT k, v FROM b;
SELECT n FROM (SELECT k, COUNT(*) AS n FROM a GROUP BY k) INTERSECT SELECT n FROM (SELECT k, COUNT(*) AS n FROM b GROUP BY k);
