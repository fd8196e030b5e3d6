-- case: lengths are kept by sinks where the enforcer is on
-- set: table.exec.sink.type-length-enforcer=TRIM_PAD
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_v (id INT, x VARCHAR(2), z VARCHAR) WITH ('connector' = 'print');
INSERT INTO out_v SELECT id, s, s FROM t;
