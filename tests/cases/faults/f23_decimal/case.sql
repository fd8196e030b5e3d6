-- case: remainders of DECIMAL
CREATE TABLE t (t TINYINT, s SMALLINT, i INT, l BIGINT, d DECIMAL(10, 2), f DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT d % 5 AS a, MOD(d, 1.5) AS b, i % 2.5 AS c, TYPEOF(d % 5) AS e, TYPEOF(MOD(d, 1.5)) AS f FROM t;
