-- case: JSON_EXISTS: lax and strict paths, FALSE, TRUE and UNKNOWN ON ERROR
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, JSON_EXISTS(s, '$.a') AS a, JSON_EXISTS(s, 'lax $.b.c') AS bc, JSON_EXISTS(s, '$.e') AS e, JSON_EXISTS(s, '$[1]') AS i1, JSON_EXISTS(s, 'strict $.z' FALSE ON ERROR) AS f, JSON_EXISTS(s, 'strict $.z' TRUE ON ERROR) AS t, JSON_EXISTS(s, 'strict $.z' UNKNOWN ON ERROR) AS u, JSON_EXISTS(s, 'lax $.z') AS lz FROM t;
SELECT id FROM t WHERE JSON_EXISTS(s, 'lax $.b');
