-- case: numbers cast on their way into a sink
CREATE TABLE t (i INT, l BIGINT, f FLOAT, d DOUBLE, n DECIMAL(10, 3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_n (a DECIMAL(10, 2), b DECIMAL(10, 1), c DOUBLE, d FLOAT, e DECIMAL(8, 1), f BIGINT) WITH ('connector' = 'print');
INSERT INTO out_n SELECT f, d, n, i, n, i FROM t;
