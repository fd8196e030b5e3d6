-- case: a column that the table does not have
-- error: pric
CREATE TABLE t (id INT, price DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, pric FROM t;
