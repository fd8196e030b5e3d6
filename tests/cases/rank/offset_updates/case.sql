-- case: ORDER BY ... LIMIT ... OFFSET and the second rank alone, over sums
-- differs: Flink withdraws rows that it never gave and leaves others behind; flowline gives the rows of those ranks
CREATE TABLE e (k STRING, item STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT item, s FROM (SELECT k, item, SUM(v) AS s FROM e GROUP BY k, item) ORDER BY s, k, item LIMIT 2 OFFSET 1;
SELECT k, item, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY s DESC, item) AS rn FROM (SELECT k, item, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY k, item HAVING SUM(v) <> 0)) WHERE rn = 2;
