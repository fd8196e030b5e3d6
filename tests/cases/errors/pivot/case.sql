-- case: PIVOT
-- error: has no PIVOT
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t PIVOT (SUM(id) FOR s IN ('x', 'y'));
