-- case: TRY_CAST to other types, compared
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, TRY_CAST(s AS DATE) > DATE '2025-01-01' AS a, TRY_CAST(s AS TIMESTAMP(3)) > TIMESTAMP '2025-01-15 01:00:00' AS b, TRY_CAST(s AS BOOLEAN) AS c, TRY_CAST(s AS DECIMAL(3, 1)) > 3.7 AS d, TRY_CAST(s AS DOUBLE) > 3 AS e FROM t;
SELECT id FROM t WHERE TRY_CAST(s AS DECIMAL(3, 2)) = 3.75;
