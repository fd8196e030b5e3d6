-- case: a bad cast in a CASE that is reached ends the job
-- error: abc
CREATE TABLE t (id INT, kind STRING, val STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, CASE WHEN kind = 'num' THEN CAST(val AS INT) ELSE 0 END AS x FROM t;
