-- case: MIN and MAX of every type where the best value may be withdrawn
CREATE TABLE e (k STRING, s STRING, d DOUBLE, de DECIMAL(6, 2), dt DATE, ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW latest AS SELECT k, LAST_VALUE(s) AS s, LAST_VALUE(d) AS d, LAST_VALUE(de) AS de, LAST_VALUE(dt) AS dt, LAST_VALUE(ts) AS ts FROM e GROUP BY k;
SELECT MIN(s) AS s1, MAX(s) AS s2, MIN(d) AS d1, MAX(d) AS d2, CAST(MIN(de) AS STRING) AS e1, CAST(MAX(de) AS STRING) AS e2, MIN(dt) AS t1, MAX(dt) AS t2, MIN(ts) AS w1, MAX(ts) AS w2 FROM latest;
SELECT k < 'c' AS ab, MIN(s) AS s1, MAX(d) AS d2, SUM(d) AS sd, CAST(SUM(de) AS STRING) AS sde, CAST(AVG(de) AS STRING) AS ade, AVG(d) AS ad FROM latest GROUP BY k < 'c';
