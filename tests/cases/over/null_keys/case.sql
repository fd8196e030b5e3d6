-- case: NULL among the partition keys and the arguments, decimals of 38 digits, equal times
CREATE TABLE e (k STRING, g INT, v INT, de DECIMAL(38, 2), ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, g, v, ts, COUNT(*) OVER w AS n, COUNT(v) OVER w AS c, SUM(v) OVER w AS s, MIN(v) OVER w AS mi, MAX(v) OVER w AS ma, CAST(SUM(de) OVER w AS STRING) AS sde, CAST(MAX(de) OVER w AS STRING) AS mde FROM e WINDOW w AS (PARTITION BY k, g ORDER BY ts);
SELECT k, g, v, ts, COUNT(v) OVER w AS c, SUM(v) OVER w AS s, MIN(v) OVER w AS mi, MAX(k) OVER w AS mk, CAST(SUM(de) OVER w AS STRING) AS sde, CAST(MIN(de) OVER w AS STRING) AS mde FROM e WINDOW w AS (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '5' SECOND PRECEDING AND CURRENT ROW);
SELECT g, k, v, LAG(v, 2) OVER (PARTITION BY g ORDER BY ts) AS l FROM e;
