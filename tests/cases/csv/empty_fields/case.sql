-- case: empty fields without csv.null-literal
CREATE TABLE t (id INT, s STRING, i INT, d DOUBLE, ts TIMESTAMP(3), b BOOLEAN) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'csv',
  'csv.ignore-parse-errors' = 'true'
);
SELECT * FROM t;
