-- case: expressions and WHERE over a changing table; columns that do not change
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_p (k STRING, label STRING) WITH ('connector' = 'print');
INSERT INTO out_p SELECT UPPER(k), CASE WHEN s > 5 THEN 'high' WHEN s IS NULL THEN 'none' ELSE 'low' END FROM (SELECT k, SUM(v) AS s FROM e GROUP BY k) WHERE k <> 'c';
SELECT s / 2 AS half, COUNT(*) AS n FROM (SELECT k, SUM(v) AS s FROM e GROUP BY k) WHERE s IS NOT NULL GROUP BY s / 2;
