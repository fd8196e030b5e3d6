-- case: TIMESTAMP_LTZ needs a Z
-- error: seen_at
CREATE TABLE t (seen_at TIMESTAMP_LTZ(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601'
);
SELECT * FROM t;
