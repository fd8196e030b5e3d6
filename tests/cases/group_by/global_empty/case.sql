-- case: an aggregate without keys over nothing gives no row at all
CREATE TABLE e (v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_n (n BIGINT, s INT) WITH ('connector' = 'print');
INSERT INTO out_n SELECT COUNT(*), SUM(v) FROM e;
