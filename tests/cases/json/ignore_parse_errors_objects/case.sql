-- case: with json.ignore-parse-errors an object where a number or an array should be
-- differs: Flink makes the fields after it in the line NULL too; flowline only the bad one
CREATE TABLE t (id INT, i INT, xs ARRAY<INT>, d DATE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
);
SELECT * FROM t;
