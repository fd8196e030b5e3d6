-- case: FILTER stops where it is decided
CREATE TABLE t (k STRING, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, COUNT(*) FILTER (WHERE b <> 0 AND a / b > 2) AS n, SUM(a) FILTER (WHERE b = 0 OR a / b > 3) AS s FROM t GROUP BY k;
SELECT COUNT(*) FILTER (WHERE b <> 0 AND a / b >= 3) AS n FROM t;
SELECT k, SUM(CASE WHEN b = 0 THEN 0 ELSE a / b END) AS s FROM t GROUP BY k;
