-- case: a filter over an aggregate does not reach its rows
CREATE TABLE t (k STRING, val STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, n FROM (SELECT k, COUNT(*) AS n FROM t WHERE k <> 'x' GROUP BY k) WHERE CAST(k AS INT) > 0 AND n > 1;
SELECT k FROM (SELECT k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY val) AS rn FROM t WHERE k <> 'x') WHERE rn <= 1 AND CAST(k AS INT) = 1;
