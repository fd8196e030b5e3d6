-- case: JSON_VALUE: text of scalars; NULL for objects, arrays, what is missing and bad JSON; paths lax and strict
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, JSON_VALUE(s, '$.a') AS a, JSON_VALUE(s, '$.b.c') AS bc, JSON_VALUE(s, '$.b.d[1]') AS d1, JSON_VALUE(s, '$.b[0].c') AS b0c, JSON_VALUE(s, '$.b.d[*]') AS dall, JSON_VALUE(s, '$.e') AS e, JSON_VALUE(s, '$.f') AS f, JSON_VALUE(s, '$.g') AS g, JSON_VALUE(s, '$.j') AS j FROM t;
SELECT id, JSON_VALUE(s, 'lax $.b.c') AS lbc, JSON_VALUE(s, 'lax $.a.b') AS lab, JSON_VALUE(s, 'strict $.a.b') AS sab, JSON_VALUE(s, '$') AS root, JSON_VALUE(s, '$[1]') AS i1, JSON_VALUE(s, '$.i[0]') AS i0, JSON_VALUE(s, '$["a b"]') AS ab, JSON_VALUE(s, '$.é') AS u FROM t;
SELECT JSON_VALUE('{"x": "y"}', '$.x') AS lit, JSON_VALUE(CAST(NULL AS STRING), '$.x') AS n FROM t WHERE id = 1;
