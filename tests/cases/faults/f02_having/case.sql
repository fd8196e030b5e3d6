-- case: HAVING stops where it is decided
CREATE TABLE t (k STRING, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, SUM(a) AS sa FROM t GROUP BY k HAVING SUM(b) <> 0 AND SUM(a) / SUM(b) > 2;
SELECT k FROM t GROUP BY k HAVING SUM(b) = 0 OR SUM(a) / SUM(b) > 3;
SELECT k, CASE WHEN SUM(b) = 0 THEN 0 ELSE SUM(a) / SUM(b) END AS q FROM t GROUP BY k;
