-- case: WHERE over an alias of the SELECT list
-- error: 'w' not found
CREATE TABLE t (k STRING, v INT, xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v + 1 AS w FROM t WHERE w > 2;
