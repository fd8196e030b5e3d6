-- case: semi and anti joins: IN, EXISTS and NOT EXISTS with a condition beside the key
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
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.n < a.v / 5);
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.n < a.v / 5);
SELECT t FROM b WHERE k IN (SELECT k FROM a WHERE v > 15);
SELECT t FROM b WHERE NOT EXISTS (SELECT 1 FROM a WHERE a.k = b.k);
