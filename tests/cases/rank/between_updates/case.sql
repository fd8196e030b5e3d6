-- case: ranks 2 to 3 over sums, with the rank
CREATE TABLE e (k STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, rn, item, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s DESC, item) AS rn FROM (SELECT k, item, SUM(v) AS s FROM e GROUP BY k, item)) WHERE rn BETWEEN 2 AND 3;
