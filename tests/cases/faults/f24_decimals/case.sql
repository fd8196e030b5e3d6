-- case: fractions into other fractions of a sink
CREATE TABLE t (d DOUBLE, f FLOAT, n DECIMAL(10, 3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_n (b DECIMAL(6, 2), c DECIMAL(12, 6), e FLOAT, g DOUBLE) WITH ('connector' = 'print');
INSERT INTO out_n SELECT n, n, n, f FROM t;
