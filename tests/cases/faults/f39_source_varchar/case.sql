-- case: a source of VARCHAR(n) with longer text
CREATE TABLE t (id INT, v VARCHAR(3), c CHAR(2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, v, c, CHAR_LENGTH(v) AS n FROM t;
