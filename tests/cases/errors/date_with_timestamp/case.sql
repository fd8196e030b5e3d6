-- case: a DATE does not compare with a TIMESTAMP
-- error: DATE
CREATE TABLE t (d DATE, ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT d < ts AS b FROM t;
