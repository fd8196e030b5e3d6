-- case: regular expressions in Java's syntax, from a column: look-around, back references, classes, flags, ends of lines
CREATE TABLE t (id INT, s STRING, p STRING, r STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, REGEXP(s, p) AS m, REGEXP_EXTRACT(s, p) AS e, REGEXP_EXTRACT(s, p, 1) AS e1, REGEXP_COUNT(s, p) AS c, REGEXP_INSTR(s, p) AS i, REGEXP_SUBSTR(s, p) AS su, REGEXP_EXTRACT_ALL(s, p, 0) AS al, REGEXP_EXTRACT_ALL(s, p) AS a1, REGEXP_REPLACE(s, p, r) AS x FROM t;
SELECT id, REGEXP_EXTRACT(s, '(?<=id=)[0-9]+', 0) AS a, REGEXP(s, '^(\w)\w*\1$') AS b, REGEXP_COUNT(s, '\d') AS c FROM t;
