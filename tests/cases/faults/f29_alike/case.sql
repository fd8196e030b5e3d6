-- case: statements that differ in one constant each give their own rows
CREATE TABLE t (k INT, x INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, SUM(x) AS s FROM (SELECT x + 1 AS k, x FROM t) GROUP BY k;
SELECT k, SUM(x) AS s FROM (SELECT x + 2 AS k, x FROM t) GROUP BY k;
SELECT k, SUM(x) AS s FROM t WHERE x > 1 GROUP BY k;
SELECT k, SUM(x) AS s FROM t WHERE x > 2 GROUP BY k;
SELECT k, SUM(x) FILTER (WHERE x > 1) AS s FROM t GROUP BY k;
SELECT k, SUM(x) FILTER (WHERE x > 2) AS s FROM t GROUP BY k;
SELECT k, COUNT(*) AS s FROM t GROUP BY k HAVING COUNT(*) > 1;
SELECT k, COUNT(*) AS s FROM t GROUP BY k HAVING COUNT(*) > 2;
