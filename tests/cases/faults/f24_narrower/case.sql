-- case: wider numbers into narrower columns of a sink
-- error: SMALLINT
CREATE TABLE t (i INT, l BIGINT, d DOUBLE, n DECIMAL(10, 3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_n (a SMALLINT, b INT, c INT, d INT, e FLOAT) WITH ('connector' = 'print');
INSERT INTO out_n SELECT i, l, d, n, d FROM t;
