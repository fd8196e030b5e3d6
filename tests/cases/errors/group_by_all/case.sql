-- case: GROUP BY ALL
-- error: has no GROUP BY ALL
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, COUNT(*) FROM t GROUP BY ALL;
