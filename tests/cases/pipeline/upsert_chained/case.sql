-- case: the second INSERT reads a table with a PRIMARY KEY: its updates retract what they replace
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE sums (k STRING, s INT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'sums',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
CREATE TABLE total (name STRING, n BIGINT, s INT, PRIMARY KEY (name) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'total',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO sums SELECT k, SUM(v) FROM e GROUP BY k HAVING SUM(v) > 0;
INSERT INTO total SELECT name, COUNT(*), SUM(s) FROM (SELECT 'all' AS name, s FROM sums) GROUP BY name;
