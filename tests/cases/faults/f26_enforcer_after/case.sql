-- case: a SET behind a statement does not change it
-- error: s
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_a (id INT, s STRING NOT NULL) WITH ('connector' = 'print');
INSERT INTO out_a SELECT id, s FROM t;
SET 'table.exec.sink.not-null-enforcer' = 'DROP';
