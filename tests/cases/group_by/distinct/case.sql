-- case: SELECT DISTINCT over an append-only stream, into a sink keyed by all its columns and as it is
CREATE TABLE t (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, v INT, PRIMARY KEY (k, v) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT DISTINCT k, v FROM t WHERE k IS NOT NULL AND v IS NOT NULL;
SELECT DISTINCT k, v > 2 AS big FROM t;
