-- case: what is written: fractions only as needed, DECIMAL without trailing zeros, DOUBLE as Java prints, BYTES in base64, NULLs
CREATE TABLE t (id INT, d DOUBLE, f FLOAT, de DECIMAL(10, 4), ts TIMESTAMP(6), l TIMESTAMP_LTZ(3), by_ BYTES, s STRING, b BOOLEAN, dt DATE, tm TIME(0), xs ARRAY<STRING>, m MAP<STRING, INT>, r ROW<a INT, `b c` STRING>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_t (id INT, d DOUBLE, f FLOAT, de DECIMAL(10, 4), ts TIMESTAMP(6), l TIMESTAMP_LTZ(3), by_ BYTES, s STRING, b BOOLEAN, dt DATE, tm TIME(0), xs ARRAY<STRING>, m MAP<STRING, INT>, r ROW<a INT, `b c` STRING>) WITH (
  'connector' = 'kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_t SELECT * FROM t;
