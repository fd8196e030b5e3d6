-- case: joins of joins, inner and outer
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
CREATE TABLE c (id INT, w STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'c',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.id, b.t, c.w FROM a JOIN b ON a.k = b.k JOIN c ON c.id = a.id;
SELECT a.id, b.t, c.w FROM a LEFT JOIN b ON a.k = b.k LEFT JOIN c ON c.id = a.id;
SELECT a.id, c.id AS cid, b.n FROM a FULL JOIN c ON a.id = c.id LEFT JOIN b ON b.k = a.k AND b.n > 1;
SELECT a.id FROM a JOIN (SELECT b.k, c.id FROM b JOIN c ON b.n = c.id) AS bc ON bc.k = a.k AND bc.id < 3;
