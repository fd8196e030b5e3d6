-- case: the other functions of regular expressions
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, REGEXP_COUNT(s, '[a-z]\d') AS a, REGEXP_INSTR(s, '\d+') AS b, REGEXP_SUBSTR(s, '(?<==)\d') AS c, REGEXP_EXTRACT_ALL(s, '(\w)=(\d)', 2) AS d FROM t;
