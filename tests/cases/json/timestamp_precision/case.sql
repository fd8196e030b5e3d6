-- case: more digits than the column's precision
-- differs: Flink's JSON keeps digits beyond the declared precision; flowline cuts a value to its type
CREATE TABLE t (id INT, ts TIMESTAMP(3), ts0 TIMESTAMP(0), ts6 TIMESTAMP(6), l TIMESTAMP_LTZ(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, ts, ts0, ts6, l FROM t;
