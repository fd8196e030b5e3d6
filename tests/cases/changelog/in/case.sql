-- case: IN with a subquery: over rows that only come and over a changing table
CREATE TABLE a (id INT, k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, k FROM a WHERE k IN (SELECT k FROM b);
SELECT id FROM a WHERE v IN (SELECT SUM(v) FROM b GROUP BY k);
SELECT id FROM a WHERE (k, v) IN (SELECT k, v FROM b);
SELECT id FROM a WHERE v IN (SELECT v FROM b WHERE b.k = a.k);
