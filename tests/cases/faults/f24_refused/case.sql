-- case: a number into a column of text
-- error: STRING
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_s (s STRING) WITH ('connector' = 'print');
INSERT INTO out_s SELECT id FROM t;
