-- case: SELECT DISTINCT over a changing table: a value stays as long as one row has it
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_s (n BIGINT, PRIMARY KEY (n) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_s',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_s SELECT DISTINCT n FROM (SELECT k, COUNT(*) AS n FROM e GROUP BY k);
SELECT DISTINCT s > 5 AS big, n FROM (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM e GROUP BY k);
SELECT COUNT(*) AS c FROM (SELECT DISTINCT s FROM (SELECT k, SUM(v) AS s FROM e GROUP BY k));
