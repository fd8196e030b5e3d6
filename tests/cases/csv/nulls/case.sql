-- case: csv.null-literal; without it an empty field of a number is NULL and of a text is empty
CREATE TABLE t (id INT, s STRING, i INT, d DOUBLE, ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'csv',
  'csv.null-literal' = 'n/a'
);
SELECT * FROM t;
