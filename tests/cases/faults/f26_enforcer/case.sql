-- case: SET holds for the statements behind them
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_a (id INT, s STRING NOT NULL) WITH ('connector' = 'print');
SET 'table.exec.sink.not-null-enforcer' = 'DROP';
INSERT INTO out_a SELECT id, s FROM t;
SET 'table.exec.sink.not-null-enforcer' = 'ERROR';
INSERT INTO out_a SELECT id, s FROM t WHERE s IS NOT NULL;
