-- case: a view over a table that is dropped
-- error: in view 'v': table 't' not found
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW v AS SELECT id FROM t;
DROP TABLE t;
SELECT * FROM v;
