-- case: a cast of a row to a row goes by position
CREATE TABLE t (a INT, b INT, r ROW<a INT, b INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT CAST(r AS ROW<b INT, a INT>) AS x, CAST(r AS ROW<c STRING, d DOUBLE>) AS y FROM t;
SELECT CAST(ROW(a, b) AS ROW<x BIGINT, y STRING>) AS z FROM t;
SELECT u.z.x, u.z.y FROM (SELECT CAST(ROW(a, b) AS ROW<x INT, y INT>) AS z FROM t) AS u;
