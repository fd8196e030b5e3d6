-- case: RIGHT JOIN: rows of the right without a match, until one comes
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
INSERT INTO out_p SELECT a.id, a.k, b.t FROM a RIGHT OUTER JOIN b ON a.k = b.k;
SELECT * FROM a RIGHT JOIN b ON a.k = b.k AND a.v > b.n * 5;
SELECT a.id, b.k, b.n FROM a RIGHT JOIN b ON a.k = b.k AND a.v = b.n * 10;
