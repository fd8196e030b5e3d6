-- case: intervals as columns
-- not yet: of type INTERVAL
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT INTERVAL '1' DAY AS a, INTERVAL '1-2' YEAR TO MONTH AS b FROM t;
