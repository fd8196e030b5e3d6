-- case: the inner filter comes first under UNION ALL and in a CTE
CREATE TABLE t (kind STRING, val STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
WITH temps AS (SELECT val FROM t WHERE kind = 'temp') SELECT val FROM temps WHERE CAST(val AS DOUBLE) > 8;
SELECT val FROM (SELECT val FROM t WHERE kind = 'temp' UNION ALL SELECT '99' FROM t WHERE kind = 'name') WHERE CAST(val AS DOUBLE) > 40;
