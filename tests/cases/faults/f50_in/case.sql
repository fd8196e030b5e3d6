-- case: IN lists of several types, with NULLs
CREATE TABLE t (id INT, ti TINYINT, s SMALLINT, i INT, l BIGINT, d DOUBLE, de DECIMAL(10, 2), dx DECIMAL(5, 0)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s IN (i, d, 42) AS a, de IN (dx, l, 42) AS b, i IN (l, s, 1) AS c, d IN (i, de) AS e, ti IN (l, 300) AS f FROM t;
SELECT id, s NOT IN (i, d, 42) AS a, de NOT IN (dx, l, 42) AS b, l NOT IN (i, 5.0) AS c FROM t;
SELECT id FROM t WHERE de IN (dx, l, 42);
SELECT id FROM t WHERE s NOT IN (i, d, 42);
