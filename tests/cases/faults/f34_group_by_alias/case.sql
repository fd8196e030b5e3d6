-- case: GROUP BY an alias of the SELECT list
-- error: 'u' not found
CREATE TABLE t (k STRING, v INT, xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT UPPER(k) AS u, COUNT(*) AS n FROM t GROUP BY u;
