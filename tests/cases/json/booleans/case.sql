-- case: true and "true" are TRUE, everything else that is there is FALSE
CREATE TABLE t (id INT, b BOOLEAN, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
