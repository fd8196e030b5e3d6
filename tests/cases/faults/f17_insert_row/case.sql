-- case: the fields of a row go into a sink by position
CREATE TABLE t (a INT, s STRING, r ROW<p INT, q STRING>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_r (r ROW<x INT, y STRING>) WITH ('connector' = 'print');
CREATE TABLE out_n (id INT, r ROW<q STRING, p INT>) WITH ('connector' = 'print');
INSERT INTO out_r SELECT ROW(a, s) FROM t;
INSERT INTO out_r SELECT r FROM t;
INSERT INTO out_n SELECT a, ROW(s, a + 10) FROM t;
