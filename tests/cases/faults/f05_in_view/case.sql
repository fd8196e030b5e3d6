-- case: an aggregate over a view that is never true
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW v AS SELECT id, g FROM t WHERE 1 = 0;
SELECT COUNT(*) AS n FROM v;
SELECT SUM(n) AS s FROM (SELECT COUNT(*) AS n FROM v);
SELECT n + 1 AS m FROM (SELECT COUNT(*) AS n FROM v) WHERE n = 0;
SELECT t.id, x.n FROM t, (SELECT COUNT(*) AS n FROM v) AS x;
