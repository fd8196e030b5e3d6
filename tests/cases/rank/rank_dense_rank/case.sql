-- case: Top-N by RANK and DENSE_RANK: equal rows share a rank
-- differs: Flink has only ROW_NUMBER in a Top-N; flowline RANK and DENSE_RANK too
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, id, v, rn FROM (SELECT *, RANK() OVER (PARTITION BY k ORDER BY v DESC) AS rn FROM e) WHERE rn <= 2;
SELECT k, id, v, rn FROM (SELECT *, DENSE_RANK() OVER (PARTITION BY k ORDER BY v DESC) AS rn FROM e) WHERE rn <= 2;
