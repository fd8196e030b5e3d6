-- case: STDDEV and VAR over rows that only come: one row gives NULL for the sample and 0 for the population; the type of the argument is the type of the result
CREATE TABLE e (k STRING, i INT, l BIGINT, de DECIMAL(8, 2), d DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, STDDEV_POP(d) AS sp, STDDEV_SAMP(d) AS ss, VAR_POP(d) AS vp, VAR_SAMP(d) AS vs, STDDEV(d) AS sd, VARIANCE(d) AS va FROM e GROUP BY k;
SELECT k, STDDEV_POP(i) AS sp, STDDEV_SAMP(i) AS ss, VAR_POP(i) AS vp, VAR_SAMP(i) AS vs, STDDEV(i) AS sd, VARIANCE(i) AS va FROM e GROUP BY k;
SELECT k, STDDEV_POP(l) AS sp, STDDEV_SAMP(l) AS ss, VAR_POP(l) AS vp, VAR_SAMP(l) AS vs, STDDEV(l) AS sd, VARIANCE(l) AS va FROM e GROUP BY k;
SELECT k, CAST(STDDEV_POP(de) AS STRING) AS sp, CAST(STDDEV_SAMP(de) AS STRING) AS ss, CAST(VAR_POP(de) AS STRING) AS vp, CAST(VAR_SAMP(de) AS STRING) AS vs FROM e GROUP BY k;
