-- case: a debezium-json table takes updates and deletes without a PRIMARY KEY
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_d (k STRING, s INT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_d',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'debezium-json'
);
INSERT INTO out_d SELECT k, SUM(v) FROM e GROUP BY k HAVING SUM(v) > 0;
