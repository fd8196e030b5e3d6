-- case: ROWS UNBOUNDED PRECEDING: rows of equal time one after the other, as they came
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_o (k STRING, v INT, ts TIMESTAMP(3), n BIGINT, nv BIGINT, s INT, av INT, mn INT, mx INT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_o',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_o SELECT k, v, ts, COUNT(*) OVER w AS n, COUNT(v) OVER w AS nv, SUM(v) OVER w AS s, AVG(v) OVER w AS av, MIN(v) OVER w AS mn, MAX(v) OVER w AS mx FROM e WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);
SELECT k, v, ts, COUNT(*) OVER (PARTITION BY k ORDER BY ts ROWS UNBOUNDED PRECEDING) AS n FROM e;
