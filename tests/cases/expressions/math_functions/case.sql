-- case: roots, logarithms, powers, angles and their edges
CREATE TABLE t (d DOUBLE, i INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT d, SQRT(d) AS sq, LN(ABS(d) + 1) AS ln_, LOG10(ABS(d) + 1) AS l10, LOG2(ABS(d) + 1) AS l2, LOG(2, ABS(d) + 1) AS lb, EXP(i) AS ex, POWER(d, 2) AS p, POWER(i, 3) AS pi3 FROM t;
SELECT d, SIN(d) AS s, COS(d) AS c, TAN(d) AS t, ATAN(d) AS a, ATAN2(d, 2) AS a2, SINH(i) AS sh, TANH(d) AS th, DEGREES(d) AS dg, RADIANS(d) AS rd FROM t;
SELECT i, MOD(i, 3) AS m, i % 4 AS r, SIGN(d) AS sg, PI() AS pi_, E() AS e_, CAST(TRUNCATE(d, 0) AS INT) AS tr, ASIN(SIGN(d)) AS asn, ACOS(SIGN(d)) AS acs FROM t;
