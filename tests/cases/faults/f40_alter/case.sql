-- case: an option altered between two queries
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t;
ALTER TABLE t SET ('json.ignore-parse-errors' = 'true');
SELECT s FROM t;
