-- case: a CAST to a narrower integer that cannot hold the value; TRY_CAST
CREATE TABLE t (l BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT l, TRY_CAST(l AS INT) AS tr, CAST(l AS INT) AS i FROM t;
