-- case: a column named as its table, in every clause
CREATE TABLE k (k INT, v INT, r ROW<k INT>) WITH (
  'connector' = 'kafka',
  'topic' = 'k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k FROM k WHERE k > 1;
SELECT k.k, COUNT(*) AS n FROM k GROUP BY k;
SELECT k.k AS v, MAX(k.v) AS k FROM k GROUP BY k.k HAVING MAX(k.v) > 1;
SELECT x.k, x.r.k AS rk FROM k AS x JOIN k ON x.k = k.k AND x.v = k.v;
SELECT k.r.k FROM k;
