-- case: a WHERE that is never true gives no rows
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE 1 = 0;
SELECT id, s FROM t WHERE FALSE;
SELECT * FROM t WHERE id = 1 AND FALSE;
SELECT UPPER(s) AS u, id + 1 AS n FROM t WHERE 1 > 2;
