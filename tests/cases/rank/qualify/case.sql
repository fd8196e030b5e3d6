-- case: QUALIFY: a Top-N without a subquery
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, id, v FROM e QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC, id) <= 2;
SELECT k, id, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v, id) AS rn FROM e WHERE v IS NOT NULL QUALIFY rn <= 2;
