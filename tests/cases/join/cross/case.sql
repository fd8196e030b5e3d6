-- case: CROSS JOIN and joins without equal keys
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
SELECT a.id, b.n FROM a CROSS JOIN b WHERE a.v > 25;
SELECT a.id, b.n FROM a, b WHERE a.v < b.n;
SELECT a.id, b.n FROM a JOIN b ON a.v < b.n * 2;
SELECT a.id, m.mx FROM a CROSS JOIN (SELECT MAX(n) AS mx FROM b) AS m;
