-- case: REGEXP, REGEXP_EXTRACT, REGEXP_REPLACE and their kin; SIMILAR TO
CREATE TABLE t (s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, REGEXP(s, '[0-9]+') AS r, REGEXP_EXTRACT(s, '([a-z]+)([0-9]*)', 1) AS e1, REGEXP_EXTRACT(s, '([a-z]+)=?([0-9]*)', 2) AS e2, REGEXP_EXTRACT(s, 'x=(\d+)') AS e0, REGEXP_REPLACE(s, '[aeiou]', '*') AS rp, REGEXP_REPLACE(s, '(\w)=(\w)', '$2-$1') AS rg FROM t;
SELECT s, REGEXP_COUNT(s, 'a') AS c, REGEXP_INSTR(s, '[0-9]') AS i, REGEXP_SUBSTR(s, '[0-9]+') AS ss, REGEXP_EXTRACT_ALL(s, '([0-9])') AS al, s SIMILAR TO '(foo|aa)%' AS si, s SIMILAR TO '[a-z]+' AS sj FROM t;
