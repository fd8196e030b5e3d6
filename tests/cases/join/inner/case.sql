-- case: INNER JOIN: every pair of equal keys; NULL equals nothing
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
CREATE TABLE out_p (id INT, k STRING, t STRING) WITH ('connector' = 'print');
INSERT INTO out_p SELECT a.id, a.k, b.t FROM a INNER JOIN b ON a.k = b.k;
SELECT * FROM a INNER JOIN b ON a.k = b.k AND a.v > b.n * 5;
SELECT a.id, b.k, b.n FROM a INNER JOIN b ON a.k = b.k AND a.v = b.n * 10;
