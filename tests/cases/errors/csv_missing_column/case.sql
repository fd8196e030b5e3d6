-- case: a CSV line with too few fields
-- error: quantity
CREATE TABLE t (id INT, quantity INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'csv'
);
SELECT * FROM t;
