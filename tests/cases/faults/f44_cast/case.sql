-- case: what is cast into CHAR(n) and VARCHAR(n) columns of sinks
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_c (id INT, c CHAR(3), v VARCHAR(2)) WITH ('connector' = 'print');
INSERT INTO out_c SELECT id, CAST(s AS CHAR(3)), CAST(s AS VARCHAR(2)) FROM t;
INSERT INTO out_c SELECT id, 'abc', s FROM t;
