-- case: WHERE over what OVER gives; OVER over a filtered table; only the value used
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, ts, s FROM (SELECT k, ts, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM e) WHERE s BETWEEN 5 AND 40;
SELECT k, ts, v FROM (SELECT k, ts, v, LAG(v) OVER (PARTITION BY k ORDER BY ts) AS p FROM e WHERE v IS NOT NULL AND k = 'b') WHERE p IS NULL OR v > p;
SELECT COUNT(*) AS n, MAX(s) AS mx FROM (SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM e);
