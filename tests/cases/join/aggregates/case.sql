-- case: joins of two aggregates: both sides change and vanish
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
CREATE TABLE out_k (k STRING, sa INT, sb INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT x.k, x.s, y.s FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING SUM(v) <> 0) AS x JOIN (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM b GROUP BY k) AS y ON x.k = y.k;
SELECT x.k, x.s, y.n FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING SUM(v) <> 0) AS x LEFT JOIN (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM b GROUP BY k) AS y ON x.k = y.k AND y.s > 0;
SELECT x.k AS xk, y.k AS yk, x.s, y.n FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING SUM(v) <> 0) AS x FULL JOIN (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM b GROUP BY k) AS y ON x.k = y.k;
SELECT y.k, x.s FROM (SELECT k, SUM(v) AS s FROM a GROUP BY k HAVING SUM(v) <> 0) AS x RIGHT JOIN (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM b GROUP BY k) AS y ON x.s = y.n;
