-- case: JSON_QUERY: objects and arrays as JSON text; wrappers; ON EMPTY and ON ERROR
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, JSON_QUERY(s, '$.b') AS b, JSON_QUERY(s, '$.b.d') AS d, JSON_QUERY(s, '$.a') AS a, JSON_QUERY(s, '$') AS root, JSON_QUERY(s, '$.i') AS i, JSON_QUERY(s, '$.b[*].c' WITH WRAPPER) AS cs FROM t;
SELECT id, JSON_QUERY(s, '$.a' WITH WRAPPER) AS ua, JSON_QUERY(s, '$.a' WITH UNCONDITIONAL ARRAY WRAPPER) AS ua2, JSON_QUERY(s, '$.a' WITH CONDITIONAL ARRAY WRAPPER) AS ca, JSON_QUERY(s, '$.b' WITH CONDITIONAL WRAPPER) AS cb, JSON_QUERY(s, '$.b' WITHOUT ARRAY WRAPPER) AS wb FROM t;
SELECT id, JSON_QUERY(s, 'lax $.z' EMPTY ARRAY ON EMPTY) AS ea, JSON_QUERY(s, 'lax $.z' EMPTY OBJECT ON EMPTY) AS eo, JSON_QUERY(s, 'lax $.z' NULL ON EMPTY) AS ne, JSON_QUERY(s, 'strict $.a' EMPTY OBJECT ON ERROR) AS er, JSON_QUERY(s, '$.z' EMPTY ARRAY ON ERROR) AS ez FROM t;
