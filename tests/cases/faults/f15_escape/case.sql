-- case: SIMILAR TO with ESCAPE, and LIKE beside it
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s SIMILAR TO 'a!%c' ESCAPE '!' AS a, s SIMILAR TO 'a!_c' ESCAPE '!' AS b, s LIKE 'a!%c' ESCAPE '!' AS c, s LIKE 'a.c' AS d, s LIKE 'a_c' AS e, s NOT LIKE 'a!_c' ESCAPE '!' AS f FROM t;
