-- case: a table of the query around goes before a column of the same name
CREATE TABLE t (id INT, t INT, r ROW<a INT, t ROW<id INT, u STRING>>, xs ARRAY<ROW<k STRING, v INT>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (id INT, t INT, w INT) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id);
SELECT id FROM t WHERE id IN (SELECT id FROM u WHERE u.t = t.t);
SELECT id, (SELECT COUNT(*) FROM u WHERE u.t = t.t) AS n FROM t;
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u AS t WHERE t.id = 3);
