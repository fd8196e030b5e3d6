-- case: an append-only sink refuses updates
-- error: out_t
CREATE TABLE t (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_t (k STRING, n BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_t SELECT k, COUNT(*) FROM t GROUP BY k;
