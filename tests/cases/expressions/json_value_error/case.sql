-- case: JSON_VALUE ... ERROR ON ERROR stops the job
-- error: JSON
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, JSON_VALUE(s, '$.a' ERROR ON ERROR) AS a FROM t;
