-- case: outer joins without equal keys
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
SELECT a.id, b.n FROM a LEFT JOIN b ON a.v < b.n;
SELECT a.id, b.n FROM a FULL JOIN b ON a.v < b.n;
SELECT a.id, b.n FROM a RIGHT JOIN b ON a.v < b.n - 5;
