-- case: aggregates over joins: what a match replaces is withdrawn
CREATE TABLE a (id INT, k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (k STRING, n INT, t STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, n BIGINT, unmatched BIGINT, s INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT a.k, COUNT(*), COUNT(*) FILTER (WHERE b.k IS NULL), SUM(b.n) FROM a LEFT JOIN b ON a.k = b.k WHERE a.k IS NOT NULL GROUP BY a.k;
SELECT COUNT(*) AS n, COUNT(b.t) AS t, SUM(a.v) AS v FROM a FULL JOIN b ON a.k = b.k AND b.n < 10;
SELECT b.k, MAX(a.v) AS mx FROM a RIGHT JOIN b ON a.k = b.k GROUP BY b.k HAVING COUNT(a.id) <> 1;
