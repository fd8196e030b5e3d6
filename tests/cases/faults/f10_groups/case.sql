-- case: NaN and signed zeros as groups
CREATE TABLE t (d DOUBLE, f FLOAT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT d, COUNT(*) AS n FROM t GROUP BY d;
SELECT f, COUNT(*) AS n FROM t GROUP BY f;
SELECT DISTINCT d FROM t;
SELECT COUNT(DISTINCT d) AS n, COUNT(DISTINCT f) AS m FROM t;
