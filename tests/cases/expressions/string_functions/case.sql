-- case: the common string functions, positions outside of the string, characters beyond the BMP
CREATE TABLE t (s STRING, n INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, UPPER(s) AS up, LOWER(s) AS low, CHAR_LENGTH(s) AS len, CHARACTER_LENGTH(s) AS len2, TRIM(s) AS tr, TRIM(LEADING ' ' FROM s) AS trl, TRIM(TRAILING ' ' FROM s) AS trt, TRIM(BOTH 'a' FROM s) AS tra, LTRIM(s) AS lt, RTRIM(s) AS rt FROM t;
SELECT s, n, SUBSTRING(s FROM 2) AS s2, SUBSTRING(s, n) AS sn, SUBSTRING(s FROM n FOR 2) AS sn2, SUBSTRING(s, -2) AS sneg, SUBSTRING(s, 1, 0) AS s0, SUBSTR(s, 2, 100) AS sx, LEFT(s, 2) AS l, RIGHT(s, 2) AS r FROM t;
SELECT s, CONCAT(s, '-', CAST(n AS STRING)) AS c, CONCAT_WS(',', s, CAST(NULL AS STRING), 'z') AS ws, REPLACE(s, 'a', 'bb') AS rep, POSITION('b' IN s) AS pos, REVERSE(s) AS rev, REPEAT(s, n) AS rp, LPAD(s, 6, '*') AS lp, RPAD(s, 3, '*') AS rpd FROM t;
