-- case: aggregates of constants, of expressions and of booleans over a changing table
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, COUNT(1) AS c1, SUM(1) AS s1, MAX('x') AS mx, SUM(CASE WHEN n > 1 THEN n ELSE 0 END) AS big, MAX(n > 1) AS any_, MIN(s IS NULL) AS all_ FROM (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM e GROUP BY k) GROUP BY k;
SELECT SUM(n * 2 + 1) AS x, SUM(n) / COUNT(*) AS m, COUNT(s) AS cs FROM (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM e GROUP BY k);
