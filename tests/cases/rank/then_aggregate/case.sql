-- case: aggregates over a Top-N: what leaves it is withdrawn
CREATE TABLE e (k STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, COUNT(*) AS n, SUM(s) AS s, MIN(item) AS mn FROM (SELECT k, item, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s DESC, item) AS rn FROM (SELECT k, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY k, item HAVING SUM(v) <> 0)) WHERE rn <= 2) GROUP BY k;
SELECT SUM(v) AS s, COUNT(*) AS n FROM (SELECT k, item, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC, item DESC) AS rn FROM e) WHERE rn <= 3);
SELECT rn, SUM(s) AS s FROM (SELECT k, item, s, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s DESC, item) AS rn FROM (SELECT k, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY k, item HAVING SUM(v) <> 0)) WHERE rn <= 2) GROUP BY rn;
