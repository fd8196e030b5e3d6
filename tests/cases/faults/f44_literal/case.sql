-- case: literals and CASE into CHAR(n)
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_c (id INT, c CHAR(5), v VARCHAR(10)) WITH ('connector' = 'print');
INSERT INTO out_c SELECT id, 'abcde', CASE WHEN id = 1 THEN 'one' ELSE 'other' END FROM t;
