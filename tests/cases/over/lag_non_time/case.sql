-- case: LAG by a column that is no time, rows in any order
-- differs: Flink dies of a row that is not the last in the order; flowline updates the rows after it
CREATE TABLE e (k STRING, v INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, s, LAG(s) OVER (PARTITION BY k ORDER BY v) AS l, LAG(v, 2, -9) OVER (PARTITION BY k ORDER BY v) AS l2 FROM e;
