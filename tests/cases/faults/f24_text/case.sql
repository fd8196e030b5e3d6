-- case: text cast on its way into a sink
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_s (id INT, v VARCHAR(3), s STRING) WITH ('connector' = 'print');
INSERT INTO out_s SELECT id, s, s FROM t;
