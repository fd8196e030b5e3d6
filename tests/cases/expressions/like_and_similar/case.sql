-- case: LIKE and SIMILAR TO with patterns from a column, and with ESCAPE
CREATE TABLE t (id INT, s STRING, p STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s LIKE p AS l, s NOT LIKE p AS nl, s SIMILAR TO p AS si FROM t;
SELECT id, s LIKE 'a_c' AS a, s LIKE 'a\%c' AS b, s LIKE 'a!%c' ESCAPE '!' AS c, s LIKE 'a\%c' ESCAPE '\' AS d, s SIMILAR TO 'a.c' AS e, s SIMILAR TO '(foo|aa)%' AS f, s SIMILAR TO 'a!%c' ESCAPE '!' AS g, s NOT SIMILAR TO '[a-c]+' AS h FROM t WHERE p = 'abc';
