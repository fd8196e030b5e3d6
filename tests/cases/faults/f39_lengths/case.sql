-- case: lengths are kept by casts, and not by sinks
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_v (id INT, x VARCHAR(2), y CHAR(3)) WITH ('connector' = 'print');
INSERT INTO out_v SELECT id, s, CAST(s AS CHAR(3)) FROM t;
SELECT id, CAST(s AS VARCHAR(2)) AS a, CAST(s AS CHAR(3)) AS b, CAST(s AS CHAR(2)) || '|' AS c FROM t;
