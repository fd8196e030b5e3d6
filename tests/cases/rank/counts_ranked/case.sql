-- case: Top-2 by counts, which only rise
CREATE TABLE e (k STRING, item STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, rn, item, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC, item) AS rn FROM (SELECT k, item, COUNT(*) AS n FROM e GROUP BY k, item)) WHERE rn <= 2;
SELECT k, item FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC, item) AS rn FROM (SELECT k, item, COUNT(*) AS n FROM e GROUP BY k, item)) WHERE rn <= 2;
