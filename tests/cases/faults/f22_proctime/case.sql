-- case: ORDER BY PROCTIME() written in the query is processing time
CREATE TABLE t (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_f (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_f',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
INSERT INTO out_f SELECT k, v FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY PROCTIME() ASC) AS rn FROM t) WHERE rn = 1;
