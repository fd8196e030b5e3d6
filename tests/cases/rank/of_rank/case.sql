-- case: a Top-N over a Top-N
CREATE TABLE e (k STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, item, s, rm FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY s DESC, k) AS rm FROM (SELECT k, item, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s DESC, item) AS rn FROM (SELECT k, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY k, item HAVING SUM(v) <> 0)) WHERE rn <= 1)) WHERE rm <= 2;
