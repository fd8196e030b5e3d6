-- case: JSON_VALUE RETURNING a type
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, JSON_VALUE(s, '$.i' RETURNING INT) AS i, JSON_VALUE(s, '$.d' RETURNING DOUBLE) AS d, JSON_VALUE(s, '$.b' RETURNING BOOLEAN) AS b, JSON_VALUE(s, '$.s' RETURNING STRING) AS s FROM t;
SELECT id, JSON_VALUE(s, 'lax $.i' RETURNING INT DEFAULT 5 ON EMPTY DEFAULT 6 ON ERROR) + 1 AS i, JSON_VALUE(s, 'lax $.b' RETURNING BOOLEAN DEFAULT FALSE ON EMPTY) AS b FROM t;
