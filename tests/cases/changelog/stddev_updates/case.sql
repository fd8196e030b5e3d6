-- case: STDDEV and VAR over a table whose rows change and vanish
CREATE TABLE e (k STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, COUNT(*) AS n, ROUND(STDDEV_POP(d), 6) AS sp, ROUND(STDDEV_SAMP(d), 6) AS ss, ROUND(VAR_POP(d), 6) AS vp, ROUND(VAR_SAMP(d), 6) AS vs FROM (SELECT k, item, CAST(SUM(v) AS DOUBLE) AS d FROM e GROUP BY k, item HAVING SUM(v) <> 0) GROUP BY k;
SELECT ROUND(STDDEV_POP(d), 6) AS sp, ROUND(STDDEV_SAMP(d), 6) AS ss, ROUND(VAR_POP(d), 6) AS vp, ROUND(VAR_SAMP(d), 6) AS vs FROM (SELECT k, CAST(COUNT(*) AS DOUBLE) AS d FROM e GROUP BY k);
