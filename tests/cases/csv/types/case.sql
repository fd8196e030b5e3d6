-- case: dates, times, timestamps, decimals and arrays in CSV
CREATE TABLE t (id INT, d DATE, tm TIME(0), ts TIMESTAMP(3), l TIMESTAMP_LTZ(3), de DECIMAL(8, 2), xs ARRAY<INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'csv',
  'csv.array-element-delimiter' = ';'
);
SELECT * FROM t;
