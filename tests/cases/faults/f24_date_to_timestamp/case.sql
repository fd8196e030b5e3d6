-- case: a DATE into a TIMESTAMP column
-- error: DATE
CREATE TABLE t (d DATE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_x (x TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO out_x SELECT d FROM t;
