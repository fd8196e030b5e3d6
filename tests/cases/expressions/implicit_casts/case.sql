-- case: numbers compare with numbers of other types; a string literal compares with a date or timestamp
CREATE TABLE t (i INT, l BIGINT, d DOUBLE, de DECIMAL(6, 2), s STRING, dt DATE, ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT i = l AS il, i = d AS id, i < de AS ide, d = de AS dde, dt = '2025-01-15' AS dts, ts >= '2025-01-15 00:00:00' AS tss, i + l AS p, i + d AS pd, de + d AS ded, i IN (1, 7.0) AS inn, COALESCE(i, l) AS co, COALESCE(de, i) AS cde FROM t;
