-- case: VAR and STDDEV of whole numbers that do not fit their type, and of DOUBLEs whose squares do not fit a DOUBLE
CREATE TABLE e (k STRING, a TINYINT, b SMALLINT, c INT, d BIGINT, f DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, VAR_POP(a) AS va, VAR_POP(b) AS vb, VAR_POP(c) AS vc, VAR_POP(d) AS vd FROM e GROUP BY k;
SELECT k, VAR_SAMP(a) AS va, VAR_SAMP(b) AS vb, VAR_SAMP(c) AS vc, VAR_SAMP(d) AS vd FROM e GROUP BY k;
SELECT k, STDDEV_POP(a) AS sa, STDDEV_POP(b) AS sb, STDDEV_POP(c) AS sc, STDDEV_POP(d) AS sd FROM e GROUP BY k;
SELECT k, STDDEV_SAMP(a) AS sa, STDDEV_SAMP(b) AS sb, STDDEV_SAMP(c) AS sc, STDDEV_SAMP(d) AS sd FROM e GROUP BY k;
SELECT k, VAR_POP(f) AS vp, VAR_SAMP(f) AS vs, STDDEV_POP(f) AS sp, STDDEV_SAMP(f) AS ss FROM e GROUP BY k;
SELECT k, COUNT(DISTINCT f) AS n, VAR_POP(f) AS vp, STDDEV_POP(f) AS sp FROM e GROUP BY k;
