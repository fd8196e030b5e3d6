-- case: a window aggregate over what OVER gives: the time attribute goes through
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW o AS SELECT k, ts, SUM(v) OVER w AS s, v - LAG(v) OVER w AS d FROM e WINDOW w AS (PARTITION BY k ORDER BY ts);
SELECT window_start, k, MAX(s) AS mx, SUM(d) AS d FROM TABLE(TUMBLE(TABLE o, DESCRIPTOR(ts), INTERVAL '30' SECOND)) GROUP BY window_start, window_end, k;
