-- case: searched and simple CASE, no ELSE, NULL operands, a common type of the branches
CREATE TABLE t (id INT, n INT, s STRING, d DECIMAL(6, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id,
  CASE WHEN n > 10 THEN 'big' WHEN n > 1 THEN 'medium' WHEN n IS NULL THEN 'none' ELSE 'small' END AS size,
  CASE n WHEN 1 THEN 'one' WHEN 2 THEN 'two' END AS word,
  CASE s WHEN NULL THEN 'never' ELSE 'always' END AS nn,
  CASE WHEN n > 1 THEN n ELSE d END AS num,
  CASE WHEN n > 1 THEN 1 ELSE 2.5 END AS num2,
  CASE WHEN n > 1 THEN n ELSE CAST(n AS BIGINT) * 10000000000 END AS wide,
  CASE WHEN s LIKE 'a%' THEN CASE WHEN n = 2 THEN 'a2' ELSE 'a' END ELSE s END AS nest,
  IF(n > 1, 'yes', 'no') AS f
FROM t;
