-- case: GREATEST, LEAST, COALESCE, NULLIF, IFNULL and IF: types and NULLs
CREATE TABLE t (a INT, b BIGINT, d DECIMAL(5, 2), s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT GREATEST(a, 3) AS g, GREATEST(a, b) AS gb, LEAST(a, b) AS lb, LEAST(a, 0, 5) AS l3, GREATEST(s, 'm') AS gs, COALESCE(a, b) AS c, CAST(COALESCE(d, a) AS STRING) AS cd, NULLIF(s, 'x') AS n, NULLIF(a, b) AS nb, IFNULL(a, b) AS i, IF(a > b, s, 'no') AS f, IF(a IS NULL, 1, a) AS f2, COALESCE(NULLIF(s, ''), 'none') AS cn FROM t;
