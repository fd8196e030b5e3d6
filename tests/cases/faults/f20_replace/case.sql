-- case: REGEXP_REPLACE with groups and classes as in Java
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, REGEXP_REPLACE(s, '(\w)\1', '<$1>') AS a, REGEXP_REPLACE(s, '\s+', '_') AS b, REGEXP_REPLACE(s, '(?<!a)b', '#') AS c, REGEXP_REPLACE(s, '[^0-9]', '') AS d, REGEXP_REPLACE(s, '\b', '|') AS e FROM t;
SELECT id, REGEXP_REPLACE(s, '(id)=(\d)', '$2=$1') AS a, REGEXP_REPLACE(s, '.', '\$') AS b, REGEXP_REPLACE(s, '^|$', '"') AS c FROM t;
