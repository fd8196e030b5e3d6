-- case: LIMIT over a changing table: the first rows stay, one more moves up when one goes
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT COUNT(*) AS n FROM (SELECT k, SUM(v) AS s FROM e GROUP BY k HAVING SUM(v) > 0 LIMIT 2);
SELECT COUNT(*) AS n FROM (SELECT k FROM e LIMIT 3);
