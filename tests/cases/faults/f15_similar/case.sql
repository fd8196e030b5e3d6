-- case: SIMILAR TO with the signs of SQL's regular expressions
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s SIMILAR TO 'abc' AS a, s SIMILAR TO 'a_c' AS b, s SIMILAR TO 'a%' AS c, s SIMILAR TO '(ab)+' AS d, s SIMILAR TO 'a|abc' AS e, s SIMILAR TO '[a-c]*' AS f, s SIMILAR TO 'a[^b]c' AS g FROM t;
SELECT id, s NOT SIMILAR TO 'a%' AS a, s SIMILAR TO '%b%' AS b, s SIMILAR TO 'a(b|X+)c' AS c, s SIMILAR TO '' AS d FROM t;
SELECT id FROM t WHERE s SIMILAR TO '(a|x)%c%';
