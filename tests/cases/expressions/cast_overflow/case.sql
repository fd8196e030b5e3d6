-- case: a CAST to a narrower integer that cannot hold the value; TRY_CAST
-- differs: Flink wraps silently, TRY_CAST too; flowline stops with an error at the CAST
-- error: 3000000000
CREATE TABLE t (l BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT l, TRY_CAST(l AS INT) AS tr, CAST(l AS INT) AS i FROM t;
