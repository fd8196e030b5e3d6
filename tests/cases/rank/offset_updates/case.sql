-- case: ORDER BY ... LIMIT ... OFFSET over sums
-- differs: Flink withdraws rows that it never gave and leaves others behind; flowline gives the two rows
CREATE TABLE e (k STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT item, s FROM (SELECT k, item, SUM(v) AS s FROM e GROUP BY k, item) ORDER BY s, k, item LIMIT 2 OFFSET 1;
