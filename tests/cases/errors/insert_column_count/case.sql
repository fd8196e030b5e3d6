-- case: more columns than the sink has
-- error: out_t
CREATE TABLE t (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_t (k STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_t SELECT k, v FROM t;
