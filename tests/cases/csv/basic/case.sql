-- case: quotes, doubled quotes, delimiters and spaces inside, empty fields
CREATE TABLE t (id INT, s STRING, d DOUBLE, b BOOLEAN) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'csv'
);
SELECT id, s, d, b, CHAR_LENGTH(s) AS n FROM t;
