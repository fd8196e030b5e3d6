-- case: with csv.ignore-parse-errors bad fields are NULL; lines too short or too long
CREATE TABLE t (id INT, s STRING, i INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'csv',
  'csv.ignore-parse-errors' = 'true'
);
SELECT * FROM t;
