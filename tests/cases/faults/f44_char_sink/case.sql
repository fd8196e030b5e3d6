-- case: a CHAR(n) column of a sink takes a STRING
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_c (id INT, c CHAR(3)) WITH ('connector' = 'print');
CREATE TABLE out_k (id INT, c CHAR(3), v VARCHAR(2)) WITH (
  'connector' = 'kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
INSERT INTO out_c SELECT id, s FROM t;
INSERT INTO out_k SELECT id, s, s FROM t;
