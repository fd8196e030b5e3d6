-- case: COUNT and SUM of DISTINCT over frames
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, ts, COUNT(DISTINCT v) OVER w AS n, SUM(DISTINCT v) OVER w AS s FROM e WINDOW w AS (PARTITION BY k ORDER BY ts);
SELECT k, v, ts, COUNT(DISTINCT v) OVER w AS n FROM e WINDOW w AS (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '30' SECOND PRECEDING AND CURRENT ROW);
