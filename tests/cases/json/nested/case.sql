-- case: rows, arrays and maps, missing and null parts, numbers as keys of a map
CREATE TABLE t (id INT, r ROW<a INT, `B` ROW<c STRING>>, xs ARRAY<DOUBLE>, m MAP<STRING, ARRAY<INT>>, rs ARRAY<ROW<k STRING, v DECIMAL(5, 1)>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
SELECT id, r.`B`.c AS c, xs[2] AS x2, m['k'][1] AS mk, rs[1].v AS v FROM t WHERE r.a > 0 OR xs IS NOT NULL;
