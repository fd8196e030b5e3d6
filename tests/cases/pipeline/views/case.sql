-- case: views, a view of a view, CTEs and subqueries in FROM
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW positive AS SELECT k, v, v * 2 AS w FROM e WHERE v > 0;
CREATE VIEW named (key_, amount) AS SELECT UPPER(k), w FROM positive;
CREATE TEMPORARY VIEW big AS SELECT * FROM named WHERE amount >= 4;
SELECT * FROM big;
WITH x AS (SELECT k, v FROM e WHERE k IS NOT NULL), y AS (SELECT k, v + 1 AS v1 FROM x) SELECT k, v1 FROM y WHERE v1 <> 3;
SELECT q.k, q.t FROM (SELECT k, v || '!' AS t FROM (SELECT k, CAST(v AS STRING) AS v FROM e) AS i) AS q;
CREATE TABLE out_k (k STRING, n BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k WITH g AS (SELECT key_, COUNT(*) AS n FROM named WHERE key_ IS NOT NULL GROUP BY key_) SELECT key_, n FROM g;
