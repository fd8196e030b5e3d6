-- case: a division by zero that is reached ends the job
-- error: zero
CREATE TABLE t (id INT, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE a > 9 AND a / b > 2;
