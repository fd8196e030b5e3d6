-- case: integer division truncates to zero, % takes the sign of the left; the type of mixed widths
CREATE TABLE t (t TINYINT, s SMALLINT, a INT, b INT, l BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a, b, a / b AS q, a % b AS r, MOD(a, b) AS m, -a AS neg, a + b AS p, a - b AS d, a * b AS x FROM t;
SELECT t + t AS tt, t + s AS ts, s * a AS sa, a + l AS al, l / a AS la, t / t AS tq, l % a AS lr, -t AS nt, a / 2 AS half, 7 / a AS c, a + 1.5 AS de, a * 0.5e0 AS dbl FROM t;
