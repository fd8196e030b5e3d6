-- case: rows that only come joined with an aggregate that changes
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
SELECT a.k, a.v, y.s FROM a JOIN (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM b GROUP BY k) AS y ON a.k = y.k;
SELECT a.k, a.v, y.s FROM a LEFT JOIN (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM b GROUP BY k) AS y ON a.k = y.k AND a.v < y.s;
SELECT y.k, y.s, a.v FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING SUM(v) <> 0) AS y LEFT JOIN a ON a.k = y.k AND a.v > 2;
