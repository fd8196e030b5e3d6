-- case: TRY_CAST of bad text is NULL wherever it stands
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, TRY_CAST(s AS INT) AS a, TRY_CAST(s AS INT) > 1 AS b, TRY_CAST(s AS INT) IS NULL AS c, TRY_CAST(s AS INT) + 1 AS d FROM t;
SELECT id FROM t WHERE TRY_CAST(s AS INT) > 1;
SELECT id FROM t WHERE TRY_CAST(s AS INT) IS NULL;
SELECT id FROM t WHERE NOT (TRY_CAST(s AS INT) > 1);
SELECT id, COALESCE(TRY_CAST(s AS INT), 0) AS a, CASE WHEN TRY_CAST(s AS INT) > 1 THEN 'y' ELSE 'n' END AS b, TRY_CAST(s AS BIGINT) > 1 AS c FROM t;
SELECT SUM(TRY_CAST(s AS INT)) AS a, COUNT(TRY_CAST(s AS INT)) AS n FROM t;
