-- case: MIN, MAX, FIRST_VALUE and LAST_VALUE of text over moving frames: the best row leaves the frame
CREATE TABLE e (k STRING, s STRING, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, ts, MIN(s) OVER w AS mn, MAX(s) OVER w AS mx, FIRST_VALUE(s) OVER w AS f, LAST_VALUE(s) OVER w AS l, MIN(v) OVER w AS mnv, MAX(v) OVER w AS mxv, FIRST_VALUE(v) OVER w AS fv, LAST_VALUE(v) OVER w AS lv FROM e WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW);
SELECT k, ts, MIN(s) OVER w AS mn, MAX(s) OVER w AS mx, FIRST_VALUE(s) OVER w AS f, LAST_VALUE(s) OVER w AS l, MIN(v) OVER w AS mnv, MAX(v) OVER w AS mxv, FIRST_VALUE(v) OVER w AS fv, LAST_VALUE(v) OVER w AS lv FROM e WINDOW w AS (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '15' SECOND PRECEDING AND CURRENT ROW);
SELECT k, ts, MIN(s) OVER w AS mn, MAX(s) OVER w AS mx, FIRST_VALUE(s) OVER w AS f, LAST_VALUE(s) OVER w AS l, MIN(v) OVER w AS mnv, MAX(v) OVER w AS mxv, FIRST_VALUE(v) OVER w AS fv, LAST_VALUE(v) OVER w AS lv FROM e WINDOW w AS (PARTITION BY k ORDER BY ts );
