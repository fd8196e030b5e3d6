-- case: LIMIT with a comma, which Flink has not
-- error: expected the end of the statement
CREATE TABLE t (k STRING, v INT, xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k FROM t LIMIT 1, 2;
