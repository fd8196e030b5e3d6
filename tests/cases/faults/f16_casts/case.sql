-- case: computed columns with casts to lengths and precisions
CREATE TABLE t (s STRING, d DOUBLE, k AS CAST(s AS VARCHAR(3)), c AS CAST(s AS CHAR(5)), n AS CAST(d AS DECIMAL(6, 2)), i AS CAST(d AS INT), t AS TRY_CAST(s AS INT)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
SELECT k || '!' AS k, CHAR_LENGTH(c) AS c, n * 2 AS n FROM t WHERE k <> 'zzz';
