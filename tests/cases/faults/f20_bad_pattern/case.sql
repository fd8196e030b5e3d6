-- case: a pattern that is no regular expression
-- error: cannot be run
-- differs: Flink gives NULL or false for a pattern that cannot be run; flowline refuses it when it is planned
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, REGEXP_EXTRACT(s, '(', 0) AS a, REGEXP_REPLACE(s, '[', 'x') AS b, REGEXP(s, 'a{2,1}') AS c FROM t;
