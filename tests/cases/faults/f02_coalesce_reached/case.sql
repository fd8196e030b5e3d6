-- case: an argument of COALESCE that is not needed
-- differs: Flink computes every argument of COALESCE before it looks at the first, and dies here of the division by zero; SQL stops at the first value
CREATE TABLE t (id INT, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, COALESCE(a, 10 / b) AS x FROM t;
