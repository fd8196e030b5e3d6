-- case: BINARY(n) and VARBINARY(n)
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, CAST(s AS BINARY(3)) AS a, CAST(s AS VARBINARY(3)) AS b, CAST(s AS BYTES) AS c, HEX(s) AS d FROM t;
SELECT TYPEOF(CAST(s AS BINARY(3))) AS a, TYPEOF(CAST(s AS VARBINARY(3))) AS b, TYPEOF(X'0102') AS c FROM t WHERE id = 1;
