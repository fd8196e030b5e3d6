-- case: COALESCE, NULLIF and IFNULL stop at the first value
CREATE TABLE t (id INT, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, COALESCE(a, 10 / NULLIF(b, 0)) AS x FROM t;
SELECT id, a / NULLIF(b, 0) AS x FROM t;
SELECT id, IFNULL(a / NULLIF(b, 0), -1) AS x FROM t;
