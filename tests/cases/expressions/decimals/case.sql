-- case: the scale of decimal arithmetic, shown through CAST to STRING
CREATE TABLE t (a DECIMAL(10, 2), b DECIMAL(6, 3), i INT, l BIGINT, d DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT CAST(a + b AS STRING) AS p, CAST(a - b AS STRING) AS m, CAST(a * b AS STRING) AS x, CAST(a / b AS STRING) AS q, CAST(a % b AS STRING) AS r, CAST(-a AS STRING) AS n FROM t;
SELECT CAST(a * i AS STRING) AS ai, CAST(a / i AS STRING) AS aq, CAST(i / a AS STRING) AS ia, CAST(a + l AS STRING) AS al, a * d AS ad, a / d AS aq2, CAST(7 / 2.0 AS STRING) AS c, CAST(0.908 * l AS STRING) AS el FROM t;
SELECT a, b, a > b AS gt, a = 1 AS e1, a > 0.1 AS gt01, a * 1.00 AS same, CAST(a AS DECIMAL(10, 1)) AS r1, CAST(a AS DECIMAL(10, 0)) AS r0, CAST(b AS DECIMAL(5, 2)) AS r2, CAST(d AS DECIMAL(8, 2)) AS fd, CAST(i AS DECIMAL(5, 2)) AS fi FROM t;
