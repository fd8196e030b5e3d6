-- case: OVER by processing time: in the order of arrival, row by row
CREATE TABLE e (k STRING, v INT, p AS PROCTIME()) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, COUNT(*) OVER (PARTITION BY k ORDER BY p) AS n, SUM(v) OVER (PARTITION BY k ORDER BY p) AS s FROM e;
SELECT k, v, SUM(v) OVER (PARTITION BY k ORDER BY p ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s, MIN(v) OVER (PARTITION BY k ORDER BY p ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS mn FROM e;
SELECT k, v, LAG(v) OVER (PARTITION BY k ORDER BY p) AS l FROM e;
SELECT k, v, COUNT(*) OVER (ORDER BY p ROWS UNBOUNDED PRECEDING) AS n FROM e;
