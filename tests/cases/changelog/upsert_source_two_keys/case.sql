-- case: a PRIMARY KEY of two columns; the same row again is no change
CREATE TABLE e (a INT, b STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE up (b STRING, a INT, v INT, PRIMARY KEY (a, b) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'up',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
CREATE TABLE out_p (a INT, v INT, n BIGINT) WITH ('connector' = 'print');
INSERT INTO up SELECT b, a, MAX(v) FROM e GROUP BY a, b;
INSERT INTO out_p SELECT a, SUM(v), COUNT(*) FROM up GROUP BY a;
