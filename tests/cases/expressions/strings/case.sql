-- case: ||, LIKE with ESCAPE, comparison by code unit, case-sensitive
CREATE TABLE t (a STRING, b STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a, b, a || b AS ab, a || '-' || 'x' AS ax, a < b AS lt, a = b AS eq, a >= 'a' AS ge FROM t;
SELECT a, a LIKE 'a%' AS l1, a LIKE '_b%' AS l2, a LIKE '%c' AS l3, a NOT LIKE '%b%' AS nl, a LIKE '50!%' ESCAPE '!' AS esc, a LIKE '50\%' ESCAPE '\' AS esc2, a LIKE '' AS emp, a LIKE '%' AS al, a LIKE 'a.c' AS dt, a LIKE b AS ab FROM t;
SELECT 'it''s' AS q, 'a' || 'ä€😀' AS u, CHAR_LENGTH('ä€😀') AS n, '' AS e, ' x ' AS sp, 'a"b\n' AS rw FROM t WHERE a = 'abc';
