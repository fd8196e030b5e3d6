-- case: ARRAY_AGG keeps NULL and the order of the rows
CREATE TABLE e (k STRING, s STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, a ARRAY<STRING>, v ARRAY<INT>) WITH ('connector' = 'print');
INSERT INTO out_k SELECT k, ARRAY_AGG(s), ARRAY_AGG(v) FROM e GROUP BY k;
SELECT k, ARRAY_AGG(DISTINCT v) AS v, CARDINALITY(ARRAY_AGG(s)) AS n FROM e GROUP BY k;
SELECT k, ARRAY_AGG(v) FILTER (WHERE v > 1) AS v FROM e GROUP BY k;
