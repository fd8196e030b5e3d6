-- case: computed columns through views, DISTINCT, GROUP BY and joins
CREATE TABLE t (id INT, s STRING, k AS UPPER(SUBSTRING(s, 1, 1))) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (k STRING, n INT, twice AS n * 2) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW v AS SELECT id, k, k || k AS kk FROM t;
SELECT k, COUNT(*) AS n FROM v GROUP BY k;
SELECT DISTINCT kk FROM v;
SELECT t.id, u.twice FROM t JOIN u ON t.k = u.k;
SELECT v.id, u.n FROM v LEFT JOIN u ON v.kk = u.k || u.k;
