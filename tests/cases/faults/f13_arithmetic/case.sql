-- case: literals in arithmetic, CASE, IF and comparisons
CREATE TABLE t (id INT, t TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, CAST(CASE WHEN t IS NULL THEN TIMESTAMP '2025-01-01 00:00:00' ELSE t END AS STRING) AS a, CAST(COALESCE(t, TIMESTAMP '2025-01-01 00:00:00.123456') AS STRING) AS b, t = TIMESTAMP '2025-01-15 00:00:00.12' AS c FROM t;
SELECT CAST(TIMESTAMP '2025-01-15 00:00:00' + INTERVAL '1' SECOND AS STRING) AS a, CAST(TIMESTAMP '2025-01-15 00:00:00.12' + INTERVAL '0.5' SECOND AS STRING) AS b FROM t;
