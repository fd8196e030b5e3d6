-- case: an aggregate without keys
CREATE TABLE e (v INT, d DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT COUNT(*) AS n, COUNT(v) AS nv, SUM(v) AS s, AVG(v) AS a, MIN(d) AS mn, MAX(d) AS mx, SUM(v) * 2 + 1 AS x FROM e;
SELECT COUNT(*) AS n FROM e WHERE v > 100;
SELECT SUM(v) AS s FROM e HAVING SUM(v) > 5;
