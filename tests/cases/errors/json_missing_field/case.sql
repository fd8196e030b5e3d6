-- case: json.fail-on-missing-field
-- error: amount
CREATE TABLE t (id INT, amount INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'json.fail-on-missing-field' = 'true'
);
SELECT * FROM t;
