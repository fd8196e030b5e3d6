-- case: TYPEOF shows what type an expression has
CREATE TABLE t (i INT, l BIGINT, d DOUBLE, de DECIMAL(8, 2), s STRING, ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT TYPEOF(i + l) AS a, TYPEOF(i + d) AS b, TYPEOF(de + i) AS c, TYPEOF(de * de) AS d, TYPEOF(de / i) AS e, TYPEOF(i / 2) AS f, TYPEOF(i + 1.5) AS g, TYPEOF('abc') AS h, TYPEOF(s || s) AS j, TYPEOF(ts + INTERVAL '1' SECOND) AS k, TYPEOF(CASE WHEN i > 1 THEN i ELSE l END) AS m, TYPEOF(COALESCE(i, 0)) AS n, TYPEOF(NULLIF(i, 0)) AS o, TYPEOF(CHAR_LENGTH(s)) AS p, TYPEOF(TRUE) AS q, TYPEOF(ROUND(de, 1)) AS r, TYPEOF(SUBSTRING(s, 1)) AS u FROM t;
