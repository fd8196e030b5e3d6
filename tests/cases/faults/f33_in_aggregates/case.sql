-- case: subqueries within aggregates, FILTER and GROUP BY
-- not yet: a subquery within an aggregate function
CREATE TABLE t (id INT, g INT, v INT) WITH (
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
SELECT g, SUM(v + (SELECT MAX(w) FROM u)) AS n FROM t GROUP BY g;
SELECT COUNT(*) FILTER (WHERE g IN (SELECT g FROM u WHERE g IS NOT NULL)) AS n FROM t;
SELECT MAX(v) AS m FROM t GROUP BY (SELECT 1);
