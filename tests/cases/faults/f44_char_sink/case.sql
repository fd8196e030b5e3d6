-- case: a CHAR(n) column of a sink takes no STRING
-- error: CHAR(3)
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_c (id INT, c CHAR(3)) WITH ('connector' = 'print');
INSERT INTO out_c SELECT id, s FROM t;
