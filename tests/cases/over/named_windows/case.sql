-- case: WINDOW w AS, a window and OVER (w), several functions over one frame, expressions over them
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, ts, SUM(v) OVER w AS s, 100 * v / SUM(v) OVER w AS share, MAX(v) OVER w - MIN(v) OVER w AS spread, COALESCE(AVG(v) OVER w, 0) AS av FROM e WHERE v > 0 WINDOW w AS (PARTITION BY k ORDER BY ts);
SELECT UPPER(k) AS k, v * 2 AS v2, SUM(v * 2) OVER w AS s, COUNT(*) OVER w AS n FROM e WINDOW w AS (PARTITION BY UPPER(k) ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW);
SELECT k, SUM(v) OVER (PARTITION BY k, v > 3 ORDER BY ts) AS s, v, ts FROM e;
