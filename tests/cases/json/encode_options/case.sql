-- case: json.encode.decimal-as-plain-number and json.encode.ignore-null-fields
CREATE TABLE t (id INT, de DECIMAL(10, 4), s STRING, r ROW<a INT, b INT>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_t (id INT, de DECIMAL(10, 4), s STRING, r ROW<a INT, b INT>) WITH (
  'connector' = 'kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json',
  'json.encode.decimal-as-plain-number' = 'true',
  'json.encode.ignore-null-fields' = 'true'
);
INSERT INTO out_t SELECT * FROM t;
