-- case: counts of counts: rows move from group to group of the outer aggregate
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_n (n BIGINT, ks BIGINT, least STRING, most STRING, PRIMARY KEY (n) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_n',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_n SELECT n, COUNT(*), MIN(k), MAX(k) FROM (SELECT k, COUNT(*) AS n FROM e GROUP BY k) GROUP BY n;
SELECT n > 2 AS many, COUNT(*) AS ks, SUM(n) AS events FROM (SELECT k, COUNT(*) AS n FROM e GROUP BY k) GROUP BY n > 2;
