-- case: COUNT(DISTINCT), SUM(DISTINCT) and FILTER without a window; an unchanged row gives no change
CREATE TABLE e (k STRING, u STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, us BIGINT, sd INT, big BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT k, COUNT(DISTINCT u), SUM(DISTINCT v), COUNT(*) FILTER (WHERE v > 2) FROM e GROUP BY k;
