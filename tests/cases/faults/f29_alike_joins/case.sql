-- case: joins and ranks that differ in one constant
CREATE TABLE t (k INT, x INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.k, a.x, b.x AS y FROM t AS a JOIN t AS b ON a.k = b.k AND a.x < b.x;
SELECT a.k, a.x, b.x AS y FROM t AS a JOIN t AS b ON a.k = b.k AND a.x < b.x + 1;
SELECT k, x FROM (SELECT k, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY x) AS rn FROM t) WHERE rn <= 1;
SELECT k, x FROM (SELECT k, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY x) AS rn FROM t) WHERE rn <= 2;
SELECT k, x FROM (SELECT k, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY x DESC) AS rn FROM t) WHERE rn <= 1;
