-- case: names are case-sensitive
-- error: Price
CREATE TABLE t (id INT, price DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, Price FROM t;
