-- case: Top-2 without the rank over sums
CREATE TABLE e (k STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_p (k STRING, item STRING, s INT) WITH ('connector' = 'print');
INSERT INTO out_p SELECT k, item, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s DESC, item) AS rn FROM (SELECT k, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY k, item HAVING SUM(v) <> 0)) WHERE rn <= 2;
SELECT item, s FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY s DESC, item) AS rn FROM (SELECT k, item, SUM(v) AS s FROM e GROUP BY k, item)) WHERE rn <= 3;
