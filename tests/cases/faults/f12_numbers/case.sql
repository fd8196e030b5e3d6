-- case: TRY_CAST of numbers that do not fit
CREATE TABLE t (id INT, l BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, TRY_CAST(l AS INT) > 1 AS a, TRY_CAST(l AS INT) IS NULL AS b, TRY_CAST(l AS DECIMAL(4, 0)) AS c FROM t;
SELECT id FROM t WHERE TRY_CAST(l AS INT) > 1;
