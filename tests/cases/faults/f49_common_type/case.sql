-- case: the common type of DECIMAL with DOUBLE and FLOAT is DOUBLE
CREATE TABLE t (id INT, d DOUBLE, f FLOAT, de DECIMAL(10, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, CASE WHEN id = 1 THEN de ELSE d END AS a, IF(id = 1, de, d) AS b, COALESCE(de, d) AS c, COALESCE(d, de) AS e, ARRAY[de, d] AS h FROM t WHERE id < 5;
SELECT TYPEOF(CASE WHEN id = 1 THEN de ELSE d END) AS a, TYPEOF(COALESCE(d, de)) AS b, TYPEOF(ARRAY[de, d]) AS c, TYPEOF(de + d) AS e, TYPEOF(de * f) AS g, TYPEOF(IF(id = 1, de, f)) AS h FROM t;
SELECT id, de + d AS a, de * d AS b, d - de AS c, de / f AS e FROM t WHERE id IN (1, 4);
