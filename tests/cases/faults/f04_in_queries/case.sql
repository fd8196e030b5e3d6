-- case: queries that give nothing under UNION, DISTINCT, IN, EXISTS, GROUP BY and ranks
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE id > 2 UNION ALL SELECT g FROM t WHERE 1 = 0;
SELECT id FROM t WHERE FALSE UNION ALL SELECT g FROM t WHERE FALSE;
SELECT DISTINCT s FROM t WHERE 1 = 0;
SELECT g, COUNT(*) AS n FROM t WHERE FALSE GROUP BY g;
SELECT id FROM t WHERE id IN (SELECT g FROM t WHERE FALSE);
SELECT id FROM t WHERE id NOT IN (SELECT g FROM t WHERE FALSE);
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM t AS x WHERE FALSE);
SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM t AS x WHERE 1 = 0);
SELECT g, COUNT(*) AS n FROM t GROUP BY g HAVING FALSE;
SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY g ORDER BY id) AS rn FROM t WHERE FALSE) WHERE rn = 1;
