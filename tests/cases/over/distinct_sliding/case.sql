-- case: DISTINCT over frames that slide: SUM, AVG, MIN and STDDEV of numbers, COUNT of texts; sums of doubles in the order in which values came
CREATE TABLE e (k STRING, v INT, d DOUBLE, s STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, ts, COUNT(DISTINCT v) OVER w AS n, SUM(DISTINCT v) OVER w AS s, AVG(DISTINCT v) OVER w AS a, MIN(DISTINCT v) OVER w AS mi, COUNT(DISTINCT s) OVER w AS ns FROM e WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW);
SELECT k, ts, SUM(DISTINCT d) OVER w AS s, COUNT(DISTINCT s) OVER w AS ns, COUNT(d) OVER w AS n, SUM(d) OVER w AS plain FROM e WINDOW w AS (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '6' SECOND PRECEDING AND CURRENT ROW);
SELECT k, ts, SUM(DISTINCT d) OVER w AS s, AVG(DISTINCT d) OVER w AS a, COUNT(DISTINCT s) OVER w AS ns FROM e WINDOW w AS (PARTITION BY k ORDER BY ts);
