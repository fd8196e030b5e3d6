-- case: NULL in DECIMALs that are compared at another scale
CREATE TABLE t (id INT, sal DECIMAL(10, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.id, b.id AS other FROM t AS a JOIN t AS b ON a.sal > b.sal * 1.0000;
SELECT id FROM t WHERE sal > (SELECT AVG(sal) FROM t);
SELECT id, CAST(sal * 1.000 / 3 AS DECIMAL(38, 20)) AS x FROM t;
