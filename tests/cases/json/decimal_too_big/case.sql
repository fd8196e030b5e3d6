-- case: a DECIMAL that does not fit its precision is NULL
CREATE TABLE t (id INT, de DECIMAL(5, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
