-- case: a Top-N over a join, and a join with a Top-N
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
SELECT id, t, rn FROM (SELECT a.id, b.t, ROW_NUMBER() OVER (PARTITION BY a.k ORDER BY b.n DESC, a.id) AS rn FROM a JOIN b ON a.k = b.k) WHERE rn <= 2;
SELECT a.id, m.t FROM a LEFT JOIN (SELECT k, t, rn FROM (SELECT k, t, n, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC) AS rn FROM b) WHERE rn <= 1) AS m ON a.k = m.k;
