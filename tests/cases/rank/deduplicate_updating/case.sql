-- case: keep-last over a changing table
CREATE TABLE e (k STRING, g STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT g, k, s, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY g ORDER BY s DESC, k) AS rn FROM (SELECT g, k, SUM(v) AS s FROM e GROUP BY g, k HAVING SUM(v) > 0)) WHERE rn = 1;
