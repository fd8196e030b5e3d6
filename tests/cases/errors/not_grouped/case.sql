-- case: a column that is neither grouped nor aggregated
-- error: amount
CREATE TABLE t (k STRING, amount INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, amount, COUNT(*) FROM t GROUP BY k;
