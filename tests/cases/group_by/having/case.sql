-- case: HAVING over a changing count: a row that no longer passes is deleted
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, n BIGINT, s INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT k, COUNT(*), SUM(v) FROM e GROUP BY k HAVING COUNT(*) > 1 AND SUM(v) < 10;
SELECT k, COUNT(*) AS n FROM e GROUP BY k HAVING COUNT(*) > 1;
