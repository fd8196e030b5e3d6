-- case: TABLESAMPLE
-- not yet: TABLESAMPLE
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t TABLESAMPLE BERNOULLI (100);
