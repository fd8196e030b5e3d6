-- case: NULL is the smallest value: first in ascending order, last in descending; NULLS FIRST and LAST say otherwise
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, id, v, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v ASC, id) AS rn FROM e) WHERE rn <= 3;
SELECT k, id, v, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC, id) AS rn FROM e) WHERE rn <= 3;
SELECT k, id, v, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v ASC NULLS LAST, id) AS rn FROM e) WHERE rn <= 3;
SELECT k, id, v, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC NULLS FIRST, id) AS rn FROM e) WHERE rn <= 3;
