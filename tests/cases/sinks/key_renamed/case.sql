-- case: the upsert key goes through renaming, reordering, WHERE and views
CREATE TABLE e (k STRING, g STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (total INT, who STRING, n BIGINT, PRIMARY KEY (who) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
CREATE VIEW sums AS SELECT k AS name, SUM(v) AS s, COUNT(*) AS n FROM e GROUP BY k;
INSERT INTO out_k SELECT s + 1, w, n FROM (SELECT n, name AS w, s FROM sums WHERE n > 1) WHERE s <> 0;
