-- case: the type of a remainder is the divisor's
CREATE TABLE t (t TINYINT, s SMALLINT, i INT, l BIGINT, d DECIMAL(10, 2), f DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT TYPEOF(l % i) AS a, TYPEOF(i % l) AS b, TYPEOF(i % s) AS c, TYPEOF(s % t) AS d, TYPEOF(l % 10) AS e, TYPEOF(MOD(l, i)) AS f, TYPEOF(MOD(l, 10)) AS g, TYPEOF(t % l) AS h FROM t;
SELECT l % i AS a, i % l AS b, i % s AS c, s % t AS d, l % 1000 AS e, MOD(l, i) AS f, t % 4 AS g, -l % 7 AS h FROM t;
