-- case: a decimal that does not fit its type becomes NULL
CREATE TABLE t (a DECIMAL(38, 10), b DECIMAL(38, 10), c DECIMAL(5, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a * b AS x, a + b AS p, CAST(c * 100 AS DECIMAL(5, 2)) AS narrow, CAST(c AS DECIMAL(3, 2)) AS n2 FROM t;
