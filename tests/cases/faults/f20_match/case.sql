-- case: REGEXP and SIMILAR TO with Java's classes
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, REGEXP(s, '\d') AS a, REGEXP(s, '^\w+$') AS b, REGEXP(s, '(.)\1') AS c, REGEXP(s, 'line1.line2') AS d, REGEXP(s, '(?s)line1.line2') AS e, REGEXP(s, '(?m)^line2$') AS f, REGEXP(s, '') AS g FROM t;
SELECT id FROM t WHERE REGEXP(s, '^(?!x).*id');
