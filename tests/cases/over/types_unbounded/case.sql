-- case: SUM, AVG, STDDEV and VAR of INT, BIGINT, DECIMAL and DOUBLE keep their type; NULLs are left out
CREATE TABLE e (k STRING, i INT, l BIGINT, de DECIMAL(8, 2), d DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, ts, AVG(i) OVER w AS ai, AVG(l) OVER w AS al, CAST(AVG(de) OVER w AS STRING) AS ade, AVG(d) OVER w AS ad, SUM(i) OVER w AS si, SUM(l) OVER w AS sl, CAST(SUM(de) OVER w AS STRING) AS sde, SUM(d) OVER w AS sd FROM e WINDOW w AS (PARTITION BY k ORDER BY ts);
SELECT k, ts, STDDEV_POP(i) OVER w AS spi, STDDEV_SAMP(l) OVER w AS ssl, CAST(STDDEV_SAMP(de) OVER w AS STRING) AS ssde, STDDEV_SAMP(d) OVER w AS ssd, STDDEV_POP(d) OVER w AS spd, VAR_POP(d) OVER w AS vpd, VAR_SAMP(d) OVER w AS vsd, VAR_SAMP(i) OVER w AS vsi, CAST(VAR_POP(de) OVER w AS STRING) AS vpde FROM e WINDOW w AS (PARTITION BY k ORDER BY ts);
