-- case: escapes, unicode, and objects, arrays and numbers taken as text
CREATE TABLE t (id INT, s STRING, v VARCHAR(3), c CHAR(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s, CHAR_LENGTH(s) AS n, v, c FROM t;
