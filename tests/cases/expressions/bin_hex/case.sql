-- case: BIN, HEX, UNHEX, TO_BASE64, FROM_BASE64, ENCODE, DECODE
CREATE TABLE t (i INT, l BIGINT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT i, BIN(i) AS b, BIN(l) AS bl, HEX(i) AS h, HEX(l) AS hl, HEX(s) AS hs, TO_BASE64(s) AS b64, FROM_BASE64(TO_BASE64(s)) AS back, DECODE(ENCODE(s, 'UTF-8'), 'UTF-8') AS dec_, UNHEX(HEX(s)) AS un FROM t;
