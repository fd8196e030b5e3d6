-- case: LATERAL subqueries
-- not yet: LATERAL
CREATE TABLE t (id INT, g INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (g INT, w INT) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT t.id, x.w FROM t, LATERAL (SELECT w FROM u WHERE u.g = t.g) AS x;
SELECT t.id, x.m FROM t LEFT JOIN LATERAL (SELECT MAX(w) AS m FROM u WHERE u.g = t.g) AS x ON TRUE;
