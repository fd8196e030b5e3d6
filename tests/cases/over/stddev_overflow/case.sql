-- case: VAR and STDDEV in OVER of whole numbers that do not fit their type, and of DOUBLEs whose squares do not fit a DOUBLE
CREATE TABLE e (k STRING, a TINYINT, b SMALLINT, c INT, d BIGINT, f DOUBLE, p AS PROCTIME()) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, VAR_POP(a) OVER w AS va, VAR_POP(b) OVER w AS vb, VAR_POP(c) OVER w AS vc FROM e WINDOW w AS (PARTITION BY k ORDER BY p);
SELECT k, VAR_POP(d) OVER w AS vd, STDDEV_POP(d) OVER w AS sd FROM e WINDOW w AS (PARTITION BY k ORDER BY p);
SELECT k, STDDEV_SAMP(a) OVER w AS sa, STDDEV_SAMP(b) OVER w AS sb, STDDEV_SAMP(c) OVER w AS sc FROM e WINDOW w AS (PARTITION BY k ORDER BY p);
SELECT k, VAR_POP(f) OVER w AS vp, STDDEV_POP(f) OVER w AS sp FROM e WINDOW w AS (PARTITION BY k ORDER BY p);
