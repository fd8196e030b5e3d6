-- case: REGEXP_EXTRACT with look-arounds, back-references and classes as in Java
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, REGEXP_EXTRACT(s, '(?<=id=)[0-9]+', 0) AS a, REGEXP_EXTRACT(s, '(\w)\1', 1) AS b, REGEXP_EXTRACT(s, '\d+', 0) AS c, REGEXP_EXTRACT(s, '(\w+)(?=\d)', 1) AS d FROM t;
SELECT id, REGEXP_EXTRACT(s, '(foo)(?<n>\d+)(bar)', 2) AS a, REGEXP_EXTRACT(s, '[a-z&&[^b]]+', 0) AS b, REGEXP_EXTRACT(s, '(?i)abc', 0) AS c, REGEXP_EXTRACT(s, '\p{Upper}+', 0) AS d, REGEXP_EXTRACT(s, 'x*+', 0) AS e FROM t;
