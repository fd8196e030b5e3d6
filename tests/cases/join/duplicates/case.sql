-- case: equal rows on both sides: every pair, counted
CREATE TABLE a (k STRING, v INT) WITH (
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
SELECT a.k, a.v, b.v AS w FROM a JOIN b ON a.k = b.k;
SELECT a.k, b.v FROM a LEFT JOIN b ON a.k = b.k AND a.v = b.v;
SELECT COUNT(*) AS n, SUM(a.v * b.v) AS s FROM a FULL JOIN b ON a.k = b.k AND a.v = b.v;
