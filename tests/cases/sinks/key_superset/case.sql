-- case: a PRIMARY KEY with more columns than the upsert key needs no ON CONFLICT: a row whose key changes is deleted under the old one
CREATE TABLE e (k STRING, g STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, s INT, n BIGINT, PRIMARY KEY (k, s) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
CREATE TABLE out_c (c STRING, k STRING, s INT, PRIMARY KEY (k, c) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_c',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT k, SUM(v), COUNT(*) FROM e GROUP BY k;
INSERT INTO out_c SELECT CASE WHEN SUM(v) > 4 THEN 'high' ELSE 'low' END, k, SUM(v) FROM e GROUP BY k;
