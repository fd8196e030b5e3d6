-- case: OVER (PARTITION BY ... ORDER BY rowtime): all rows so far, those of equal time together; NULL is a key of its own
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
INSERT INTO out_o SELECT k, v, ts, COUNT(*) OVER w AS n, COUNT(v) OVER w AS nv, SUM(v) OVER w AS s, AVG(v) OVER w AS av, MIN(v) OVER w AS mn, MAX(v) OVER w AS mx FROM e WINDOW w AS (PARTITION BY k ORDER BY ts);
SELECT k, v, ts, SUM(v) OVER (PARTITION BY k ORDER BY ts RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM e;
