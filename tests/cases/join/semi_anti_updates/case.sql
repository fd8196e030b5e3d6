-- case: semi and anti joins where both sides change
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
SELECT k, s FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING SUM(v) <> 0) AS x WHERE EXISTS (SELECT 1 FROM (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM b GROUP BY k) AS y WHERE y.k = x.k AND y.s > 0);
SELECT k, s FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING SUM(v) <> 0) AS x WHERE NOT EXISTS (SELECT 1 FROM (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM b GROUP BY k) AS y WHERE y.k = x.k AND y.s > 0);
SELECT k, s FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING SUM(v) <> 0) AS x WHERE s IN (SELECT n FROM (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM b GROUP BY k) AS y);
SELECT k FROM b WHERE v NOT IN (SELECT s FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING SUM(v) <> 0) AS x);
