-- case: ORDER BY ... LIMIT over sums
CREATE TABLE e (k STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, item, s FROM (SELECT k, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY k, item HAVING SUM(v) <> 0) ORDER BY s DESC, k, item LIMIT 3;
SELECT k, SUM(v) AS s FROM e GROUP BY k ORDER BY s DESC LIMIT 2;
