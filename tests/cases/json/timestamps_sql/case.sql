-- case: the SQL timestamp format: a space, fractions of any length; LTZ with a Z
CREATE TABLE t (id INT, ts TIMESTAMP(3), ts0 TIMESTAMP(0), ts6 TIMESTAMP(6), l TIMESTAMP_LTZ(3), d DATE, tm TIME(0)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, ts, ts0, ts6, l, d, tm FROM t;
