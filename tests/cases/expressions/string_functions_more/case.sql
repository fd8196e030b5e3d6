-- case: INITCAP, ASCII, CHR, ELT, INSTR, LOCATE, OVERLAY, TRANSLATE, STARTSWITH, ENDSWITH, LPAD, RPAD, BTRIM, LEFT, RIGHT
CREATE TABLE t (i INT, l BIGINT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT s, INITCAP(s) AS ic, ASCII(s) AS asc_, CHR(65) AS c65, CHR(ABS(i) + 60) AS ci, ELT(2, 'a', s, 'c') AS e2, ELT(9, 'a', s) AS e9, INSTR(s, 'l') AS ins, LOCATE('o', s) AS lo, LOCATE('o', s, 6) AS lo6, OVERLAY(s PLACING 'XX' FROM 2 FOR 3) AS ov, TRANSLATE(s, 'lo', '01') AS tr FROM t;
SELECT s, STARTSWITH(s, 'Fl') AS sw, ENDSWITH(s, 'k') AS ew, BTRIM(s) AS bt, LPAD(s, 3, 'ab') AS l3, LPAD(s, 8, 'ab') AS l8, RPAD(s, 8, 'ab') AS r8, LPAD(s, 0, 'a') AS l0, LPAD(s, -1, 'a') AS lm, LPAD(s, 8, '') AS le, REPEAT(s, 0) AS r0 FROM t;
