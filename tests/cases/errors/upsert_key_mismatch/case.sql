-- case: the sink's PRIMARY KEY is not the query's upsert key, and there is no ON CONFLICT
-- error: ON CONFLICT
CREATE TABLE t (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (s INT, k STRING, PRIMARY KEY (s) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT SUM(v), k FROM t GROUP BY k;
