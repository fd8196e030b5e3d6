-- case: OVER by a column that is no time over a changing table
CREATE TABLE e (k STRING, g STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT g, k, s, SUM(s) OVER (PARTITION BY g ORDER BY s) AS run_, COUNT(*) OVER (PARTITION BY g ORDER BY s) AS pos_ FROM (SELECT g, k, SUM(v) AS s FROM e GROUP BY g, k HAVING SUM(v) <> 0);
