-- case: JSON_VALUE: DEFAULT and NULL ON EMPTY and ON ERROR; a path without a mode word is strict, so what is missing is an error
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, JSON_VALUE(s, '$.a' DEFAULT 'none' ON EMPTY DEFAULT 'bad' ON ERROR) AS d, JSON_VALUE(s, 'lax $.a' DEFAULT 'none' ON EMPTY DEFAULT 'bad' ON ERROR) AS l, JSON_VALUE(s, 'strict $.a' DEFAULT 'none' ON EMPTY DEFAULT 'bad' ON ERROR) AS s, JSON_VALUE(s, 'lax $.e' NULL ON EMPTY DEFAULT 'bad' ON ERROR) AS e, JSON_VALUE(s, 'lax $.e' DEFAULT 'empty' ON EMPTY) AS e2, JSON_VALUE(s, 'lax $.b' DEFAULT 'empty' ON EMPTY DEFAULT 'bad' ON ERROR) AS b FROM t;
