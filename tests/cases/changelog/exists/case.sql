-- case: EXISTS and NOT EXISTS, correlated and not; the inner table changes
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
SELECT id FROM a WHERE EXISTS (SELECT * FROM b WHERE b.k = a.k);
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.v >= a.v);
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM (SELECT k, SUM(v) AS s FROM b GROUP BY k) AS g WHERE g.k = a.k AND g.s > 4);
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM (SELECT k, SUM(v) AS s FROM b GROUP BY k HAVING SUM(v) > 4) AS g WHERE g.k = a.k);
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE v > 6);
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE v > 60);
