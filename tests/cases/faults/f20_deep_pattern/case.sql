-- case: a pattern with thousands of groups in groups matches nothing
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT REGEXP_EXTRACT(s, REPEAT('(', 20000) || 'a' || REPEAT(')', 20000)) FROM t;
