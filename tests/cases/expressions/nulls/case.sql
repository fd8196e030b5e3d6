-- case: COALESCE, NULLIF, IS [NOT] DISTINCT FROM, IN and NOT IN with NULLs
CREATE TABLE t (id INT, a INT, b INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, COALESCE(a, b, -1) AS c, NULLIF(a, b) AS n, IFNULL(a, 0) AS i, a IS DISTINCT FROM b AS d, a IS NOT DISTINCT FROM b AS nd, a = b AS eq, COALESCE(s, 'none') AS s1, NULLIF(s, '') AS s2 FROM t;
SELECT id, a IN (1, 2) AS i1, a IN (1, NULL) AS i2, a NOT IN (1, 2) AS n1, a NOT IN (1, NULL) AS n2, a BETWEEN 1 AND b AS bt, a NOT BETWEEN 2 AND 3 AS nb, s IN ('x', '') AS si FROM t;
SELECT id FROM t WHERE a NOT IN (2, 3);
SELECT id FROM t WHERE a <> b OR (a IS NULL) <> (b IS NULL);
