-- case: a point in SIMILAR TO
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s SIMILAR TO 'a.c' AS a, s SIMILAR TO 'a.*' AS b FROM t;
