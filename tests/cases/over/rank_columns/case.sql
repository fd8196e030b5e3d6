-- case: RANK, DENSE_RANK and ROW_NUMBER as columns, by a column that is no time
-- differs: Flink has these columns only in a Top-N; flowline updates them
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, id, v, RANK() OVER (PARTITION BY k ORDER BY v) AS r, DENSE_RANK() OVER (PARTITION BY k ORDER BY v) AS d FROM e;
SELECT k, id, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v, id) AS n FROM e;
