-- case: ROW_NUMBER by a column that is no time, without an upper bound
-- differs: Flink wants an upper bound of the rank; flowline numbers all rows and updates them
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, id, v, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v) AS rn FROM e) WHERE rn > 1;
