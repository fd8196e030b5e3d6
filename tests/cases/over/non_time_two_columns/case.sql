-- case: OVER by two columns, one descending
-- differs: Flink orders OVER by one column, ascending; flowline by any
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, id, v, SUM(v) OVER (PARTITION BY k ORDER BY v DESC, id) AS s FROM e;
