-- case: a join on the upsert keys of both sides keeps the key
CREATE TABLE e (k STRING, g STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE f (k STRING, w INT) WITH (
  'connector' = 'kafka',
  'topic' = 'f',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, s INT, w INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT x.k, x.s, y.w FROM (SELECT k, SUM(v) AS s FROM e GROUP BY k) AS x LEFT JOIN (SELECT k, SUM(w) AS w FROM f GROUP BY k) AS y ON x.k = y.k;
