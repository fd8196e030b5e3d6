-- case: with json.ignore-parse-errors a bad field is NULL and a bad line is left out
-- source: filesystem
CREATE TABLE t (id INT, i INT, ts TIMESTAMP(3), l TIMESTAMP_LTZ(3), xs ARRAY<INT>, r ROW<a INT>, b BYTES, d DATE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
);
SELECT * FROM t;
