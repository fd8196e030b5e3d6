-- case: another delimiter and quote character, comments (left out as lines that cannot be read)
CREATE TABLE t (id INT, s STRING, e STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'csv',
  'csv.field-delimiter' = '|',
  'csv.quote-character' = '!',
  'csv.allow-comments' = 'true',
  'csv.ignore-parse-errors' = 'true',
  'csv.escape-character' = '^'
);
SELECT * FROM t;
