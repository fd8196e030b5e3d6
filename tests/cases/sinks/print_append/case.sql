-- case: a print table of rows that only come; a blackhole table beside it
CREATE TABLE e (k STRING, g STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_p (k STRING, v INT) WITH ('connector' = 'print');
CREATE TABLE nowhere (k STRING) WITH ('connector' = 'blackhole');
INSERT INTO out_p SELECT k, v FROM e WHERE v > 1;
INSERT INTO out_p SELECT g, -v FROM e WHERE v > 4;
