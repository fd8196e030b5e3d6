-- case: a hint with a key that the table does not have
-- error: unknown option 'scan.startup.mod'
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t /*+ OPTIONS('scan.startup.mod' = 'latest-offset') */;
