-- case: fields of rows, elements of arrays (from 1) and maps; outside or missing is NULL
CREATE TABLE t (r ROW<a INT, b ROW<c STRING, d DOUBLE>>, xs ARRAY<INT>, m MAP<STRING, INT>, rs ARRAY<ROW<k STRING, v INT>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT r.a AS ra, t.r.b.c AS c, r.b.d * 2 AS d, xs[1] AS x1, xs[3] AS x3, m['k'] AS mk, rs[1].v AS rv, CARDINALITY(xs) AS n, CARDINALITY(m) AS mn, r IS NULL AS rn FROM t;
SELECT * FROM t;
SELECT ARRAY[1, 2, xs[1]] AS arr, MAP['a', 1, 'b', CARDINALITY(xs)] AS mp, ROW(r.a, 'x') AS rw FROM t;
