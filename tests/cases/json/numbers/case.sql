-- case: numbers as text, fractions and text into INT, booleans into numbers, exponents
CREATE TABLE t (id INT, i INT, l BIGINT, d DOUBLE, f FLOAT, de DECIMAL(8, 2), s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
