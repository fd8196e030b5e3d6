-- case: HAVING over an alias of the SELECT list
-- error: 'n' not found
CREATE TABLE t (k STRING, v INT, xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, COUNT(*) AS n FROM t GROUP BY k HAVING n > 1;
