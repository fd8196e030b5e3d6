-- case: correlated subqueries by other comparisons and from two levels out
-- not yet: not supported yet
CREATE TABLE t (id INT, g INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (id INT, g INT, w INT) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, (SELECT MAX(w) FROM u WHERE u.id > t.id) AS x FROM t;
SELECT id, (SELECT COUNT(*) FROM u WHERE u.g = t.g AND u.w > t.v) AS x FROM t;
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.g = t.g AND EXISTS (SELECT 1 FROM u AS z WHERE z.w = t.v));
