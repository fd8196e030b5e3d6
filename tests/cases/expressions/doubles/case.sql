-- case: DOUBLE and FLOAT arithmetic and how they print: Java's shortest form, exponent from 1E7 and below 1E-3
CREATE TABLE t (a DOUBLE, b DOUBLE, f FLOAT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a, b, a + b AS p, a * b AS x, a / b AS q, -a AS n, f, f * 2 AS f2, a + f AS af, f * 2.0 AS fde, COALESCE(f, a) AS co FROM t;
SELECT CAST(a AS STRING) AS sa, CAST(f AS STRING) AS sf, CAST(a / b AS STRING) AS sq, CAST(0.1e0 + 0.2e0 AS STRING) AS c, a > b AS gt, a = a AS eq FROM t;
SELECT CAST(a AS FLOAT) AS af, CAST(CAST(a AS FLOAT) AS DOUBLE) AS afd, MOD(CAST(a AS DECIMAL(20, 3)), 3) AS m FROM t WHERE b <> 0;
