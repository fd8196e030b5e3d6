-- case: a TIMESTAMP literal that is only a date
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT TIMESTAMP '2025-01-01' AS a, TYPEOF(TIMESTAMP '2025-01-01') AS b FROM t;
