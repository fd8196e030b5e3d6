-- case: LAG with IGNORE NULLS
-- not yet: NULLS
CREATE TABLE t (id INT, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, LAG(v) IGNORE NULLS OVER (ORDER BY ts) AS p FROM t;
