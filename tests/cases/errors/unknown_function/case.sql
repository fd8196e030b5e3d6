-- case: a function that does not exist
-- error: FROBNICATE
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT FROBNICATE(id) FROM t;
