-- case: the ISO-8601 option: a T, no zone for TIMESTAMP, a Z for TIMESTAMP_LTZ, in and out
CREATE TABLE t (id INT, ts TIMESTAMP(3), l TIMESTAMP_LTZ(3), l0 TIMESTAMP_LTZ(0)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601'
);
CREATE TABLE out_t (id INT, ts TIMESTAMP(3), l TIMESTAMP_LTZ(3), l0 TIMESTAMP_LTZ(0)) WITH (
  'connector' = 'kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601'
);
CREATE TABLE out_s (id INT, ts TIMESTAMP(3), l TIMESTAMP_LTZ(3)) WITH (
  'connector' = 'kafka',
  'topic' = 'out_s',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_t SELECT id, ts, l, l0 FROM t;
INSERT INTO out_s SELECT id, ts, l FROM t;
