-- case: COUNT over what is never true is one row
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT COUNT(*) AS n FROM t WHERE id NOT IN (1, CAST(NULL AS INT));
SELECT COUNT(*) AS n FROM t WHERE 1 = 0;
SELECT COUNT(id) AS n, COUNT(DISTINCT s) AS d FROM t WHERE FALSE;
SELECT COUNT(*) AS n FROM t WHERE id = 1 AND id = 2;
