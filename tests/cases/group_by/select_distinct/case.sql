-- case: SELECT DISTINCT into a keyed table: one +I a value
CREATE TABLE e (a STRING, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_d (a STRING, b INT, PRIMARY KEY (a, b) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_d',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_d SELECT DISTINCT a, b FROM e WHERE a IS NOT NULL AND b IS NOT NULL;
SELECT DISTINCT a FROM e;
SELECT COUNT(*) AS n FROM (SELECT DISTINCT a, b FROM e);
