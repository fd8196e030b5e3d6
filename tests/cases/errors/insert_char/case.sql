-- case: a STRING does not go into a CHAR column
-- error: code
CREATE TABLE t (s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_t (code CHAR(4)) WITH (
  'connector' = 'kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_t SELECT s FROM t;
