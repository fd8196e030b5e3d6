-- case: CAST and TRY_CAST of strings: spaces are trimmed, a bad string is NULL under TRY_CAST
CREATE TABLE t (s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, TRY_CAST(s AS INT) AS i, TRY_CAST(s AS BIGINT) AS l, TRY_CAST(s AS TINYINT) AS ti, TRY_CAST(s AS DOUBLE) AS d, TRY_CAST(s AS DECIMAL(8, 2)) AS de, TRY_CAST(s AS BOOLEAN) AS b FROM t;
SELECT CAST(s AS INT) + 1 AS i, CAST(s AS DOUBLE) AS d, CAST(TRIM(s) AS BIGINT) AS l FROM t WHERE s IN ('7', ' 12 ', '-3');
