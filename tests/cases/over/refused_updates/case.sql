-- case: OVER by event time over a changing table
-- error: doesn't support consuming update
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE up (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'up',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO up SELECT k, SUM(v), MAX(ts) FROM e GROUP BY k;
SELECT k, SUM(v) OVER (ORDER BY ts) AS s FROM up;
