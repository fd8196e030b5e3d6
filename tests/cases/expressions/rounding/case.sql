-- case: ABS, ROUND (half away from zero), FLOOR, CEIL, TRUNCATE, SIGN, MOD, POWER, SQRT
CREATE TABLE t (d DOUBLE, i INT, de DECIMAL(10, 3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT d, ABS(d) AS a, ROUND(d) AS r, ROUND(d, 1) AS r1, ROUND(d, 2) AS r2, ROUND(d, -1) AS rm1, FLOOR(d) AS f, CEIL(d) AS c, TRUNCATE(d, 1) AS t1, SIGN(d) AS s, SQRT(ABS(d)) AS sq FROM t;
SELECT de, ABS(de) AS a, CAST(ROUND(de) AS STRING) AS r, CAST(ROUND(de, 1) AS STRING) AS r1, CAST(ROUND(de, -1) AS STRING) AS rm1, CAST(FLOOR(de) AS STRING) AS f, CAST(CEILING(de) AS STRING) AS c, CAST(TRUNCATE(de, 2) AS STRING) AS t2, CAST(SIGN(de) AS STRING) AS s FROM t;
SELECT i, ABS(i) AS a, ROUND(i) AS r, ROUND(i, -1) AS rm1, FLOOR(i) AS f, CEIL(i) AS c, SIGN(i) AS s, MOD(i, 4) AS m, POWER(i, 2) AS p, EXP(0) AS e, LN(1) AS l, LOG10(100) AS lg, GREATEST(i, 3) AS g, LEAST(i, 3) AS le FROM t;
