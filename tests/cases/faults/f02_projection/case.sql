-- case: AND, OR and CASE in SELECT evaluate only what they need
CREATE TABLE t (id INT, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, b <> 0 AND a / b > 2 AS x, b = 0 OR a / b > 2 AS y FROM t;
SELECT id, CASE WHEN b = 0 THEN -1 ELSE a / b END AS x, CASE b WHEN 0 THEN 0 ELSE a % b END AS y FROM t;
SELECT id, CASE WHEN b = 0 THEN 'zero' WHEN a / b > 2 THEN 'big' ELSE 'small' END AS x FROM t;
SELECT id, IF(b = 0, CAST(NULL AS INT), a / b) AS x FROM t;
SELECT id, (b <> 0 AND a / b > 2) IS TRUE AS x, (b <> 0 AND a / b > 2) IS NOT FALSE AS y FROM t;
