-- case: casts between number types truncate toward zero; DOUBLE to an integer saturates; BOOLEAN to and from numbers
CREATE TABLE t (d DOUBLE, i INT, de DECIMAL(10, 3), b BOOLEAN) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT d, CAST(d AS INT) AS di, CAST(d AS BIGINT) AS dl, CAST(d AS FLOAT) AS df, CAST(d AS DECIMAL(10, 2)) AS dd FROM t;
SELECT CAST(i AS DOUBLE) AS id, CAST(i AS BIGINT) AS il, CAST(i AS BOOLEAN) AS ib, CAST(i AS DECIMAL(12, 2)) AS ide, CAST(de AS INT) AS dei, CAST(de AS DOUBLE) AS ded, CAST(de AS DECIMAL(10, 1)) AS de1, CAST(b AS INT) AS bi, CAST(b AS STRING) AS bs FROM t;
