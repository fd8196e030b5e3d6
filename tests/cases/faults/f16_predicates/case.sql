-- case: computed columns that are conditions
CREATE TABLE t (id INT, s STRING, d DOUBLE, a AS s SIMILAR TO 'a%', b AS s LIKE '_b%', c AS d > 1, e AS id IN (1, NULL), f AS CASE WHEN id = 1 THEN 'one' ELSE s END, g AS s IS NOT NULL AND CHAR_LENGTH(s) > 2) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
SELECT id FROM t WHERE a AND b;
SELECT id FROM t WHERE c OR e;
