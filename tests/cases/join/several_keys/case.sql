-- case: several keys, expressions as keys, types that differ
CREATE TABLE a (id INT, k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (kk STRING, w BIGINT, d DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.id, b.d FROM a JOIN b ON UPPER(a.k) = b.kk AND a.v = b.w;
SELECT a.id, b.d FROM a LEFT JOIN b ON UPPER(a.k) = b.kk AND a.v + 1 = b.w;
SELECT a.id, b.d FROM a JOIN b ON a.id = b.d;
