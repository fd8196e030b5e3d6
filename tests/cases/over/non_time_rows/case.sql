-- case: ROWS UNBOUNDED PRECEDING by a column that is no time
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, SUM(v) OVER (PARTITION BY k ORDER BY v ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s, COUNT(*) OVER (PARTITION BY k ORDER BY v ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS n FROM e;
SELECT v * 10 + CHAR_LENGTH(k) AS x, COUNT(*) OVER (ORDER BY v ROWS UNBOUNDED PRECEDING) AS n FROM e WHERE v <> 1;
