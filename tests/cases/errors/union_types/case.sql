-- case: UNION ALL of incompatible columns
-- error: UNION
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t UNION ALL SELECT s FROM t;
