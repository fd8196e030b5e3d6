-- case: NULL is a group of its own
CREATE TABLE e (a STRING, b INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a, b, COUNT(*) AS n, SUM(v) AS s, AVG(v) AS av FROM e GROUP BY a, b;
SELECT a IS NULL AS z, COUNT(a) AS n, COUNT(*) AS m FROM e GROUP BY a IS NULL;
