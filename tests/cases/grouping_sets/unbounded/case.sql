-- case: GROUPING SETS without a window, updating
CREATE TABLE e (a STRING, b STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a, b, GROUPING(a) AS ga, GROUPING(b) AS gb, COUNT(*) AS n, SUM(v) AS s FROM e GROUP BY GROUPING SETS ((a), (b), ());
SELECT a, COUNT(DISTINCT b) AS bs FROM e GROUP BY ROLLUP (a);
