-- case: elements of ARRAY and MAP with an index or key from a column
CREATE TABLE t (id INT, a ARRAY<INT>, aa ARRAY<ARRAY<INT>>, m MAP<STRING, INT>, n INT, k STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, a[n] AS x, aa[n] AS z, m[k] AS y, a[1] AS a1, a[4] AS a4, m['k'] AS mk, m['zz'] AS mz FROM t;
