-- case: constants that are computed when planned
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT TRY_CAST('x' AS INT) AS a, TRY_CAST('12' AS INT) + 1 AS b, COALESCE(TRY_CAST('' AS INT), -1) AS c, CAST('  7 ' AS INT) AS d FROM t;
SELECT 1e308 * 10 AS a, -1e308 * 10 AS b, SQRT(-1) AS c, LN(0) AS d FROM t;
SELECT U&'\00e4' AS a, X'41' AS b, 'it''s' AS c, '' AS d FROM t;
