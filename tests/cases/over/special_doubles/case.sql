-- case: NaN, infinities and signed zeros in frames that grow and in frames that slide
CREATE TABLE e (k STRING, d STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW n AS SELECT k, ts, CAST(d AS DOUBLE) AS d FROM e;
SELECT k, ts, CAST(d AS STRING) AS d, CAST(SUM(d) OVER w AS STRING) AS s, CAST(AVG(d) OVER w AS STRING) AS a, CAST(MIN(d) OVER w AS STRING) AS mi, CAST(MAX(d) OVER w AS STRING) AS ma, COUNT(d) OVER w AS c FROM n WINDOW w AS (PARTITION BY k ORDER BY ts);
SELECT k, ts, CAST(d AS STRING) AS d, CAST(SUM(d) OVER w AS STRING) AS s, CAST(AVG(d) OVER w AS STRING) AS a, CAST(MIN(d) OVER w AS STRING) AS mi, CAST(MAX(d) OVER w AS STRING) AS ma, COUNT(d) OVER w AS c FROM n WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW);
