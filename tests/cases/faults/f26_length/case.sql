-- case: a length enforced for one statement only
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_a (id INT, s VARCHAR(3)) WITH ('connector' = 'print');
CREATE TABLE out_b (id INT, s VARCHAR(3)) WITH ('connector' = 'print');
SET 'table.exec.sink.type-length-enforcer' = 'TRIM_PAD';
INSERT INTO out_a SELECT id, s FROM t;
SET 'table.exec.sink.type-length-enforcer' = 'IGNORE';
INSERT INTO out_b SELECT id, s FROM t;
