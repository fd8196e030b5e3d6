-- case: VARCHAR without a length is as long as it must be
CREATE TABLE t (id INT, s STRING, v VARCHAR) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_v (id INT, x VARCHAR, y VARCHAR) WITH ('connector' = 'print');
INSERT INTO out_v SELECT id, s, v FROM t;
SELECT id, CAST(s AS VARCHAR) AS a, CAST(id AS VARCHAR) AS b, v || '!' AS c, CAST(v AS VARCHAR) AS d FROM t;
