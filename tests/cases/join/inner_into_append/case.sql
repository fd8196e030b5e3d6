-- case: an INNER JOIN of rows that only come is append-only
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
CREATE TABLE out_a (id INT, t STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'out_a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_a SELECT a.id, b.t FROM a JOIN b ON a.k = b.k;
