-- case: aggregates without a window: types and order of the sums
CREATE TABLE e (k INT, i INT, d DOUBLE, de DECIMAL(10, 2), t STRING, ts TIMESTAMP(3), b BOOLEAN) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, AVG(i) AS ai, SUM(d) AS sd, CAST(SUM(de) AS STRING) AS sde, CAST(AVG(de) AS STRING) AS ade, MIN(t) AS mnt, MAX(ts) AS mxs, MAX(b) AS mxb, COUNT(DISTINCT i) AS di, AVG(d) AS ad FROM e GROUP BY k;
