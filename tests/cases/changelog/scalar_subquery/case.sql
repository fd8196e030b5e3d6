-- case: a scalar subquery in WHERE and in SELECT follows its aggregate
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
SELECT id FROM a WHERE v > (SELECT AVG(v) FROM b);
SELECT id, v - (SELECT MAX(v) FROM b) AS d FROM a;
SELECT id, (SELECT SUM(b.v) FROM b WHERE b.k = a.k) AS s FROM a;
SELECT k, COUNT(*) AS n FROM b GROUP BY k HAVING COUNT(*) > (SELECT COUNT(*) / 4 FROM b);
