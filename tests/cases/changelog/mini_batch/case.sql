-- case: mini-batching holds rows back and changes nothing of the answer
-- set: table.exec.mini-batch.enabled=true
-- set: table.exec.mini-batch.allow-latency=5 s
-- set: table.exec.mini-batch.size=4
CREATE TABLE e (k STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_h (n BIGINT, ks BIGINT, PRIMARY KEY (n) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_h',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_h SELECT n, COUNT(*) FROM (SELECT k, COUNT(*) AS n FROM e GROUP BY k) GROUP BY n;
SELECT SUM(n) AS s, MAX(n) AS mx, MIN(n) AS mn, AVG(n) AS a FROM (SELECT k, COUNT(*) AS n FROM e GROUP BY k);
