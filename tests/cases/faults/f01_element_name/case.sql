-- case: a field of an array's element has no name of its own
CREATE TABLE t (id INT, t INT, r ROW<a INT, t ROW<id INT, u STRING>>, xs ARRAY<ROW<k STRING, v INT>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT xs[1].k, id FROM t;
SELECT t.xs[1].k, xs[1].v AS v FROM t;
SELECT s.e.k FROM (SELECT xs[1] AS e FROM t) AS s;
