-- case: a pattern from a column
CREATE TABLE t (id INT, s STRING, p STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, REGEXP(s, p) AS a, REGEXP_EXTRACT(s, p, 0) AS b, REGEXP_REPLACE(s, p, '-') AS c FROM t;
