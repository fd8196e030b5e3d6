-- case: a SUM of DECIMALs beyond 38 digits
-- differs: NULL from then on; Flink begins to add anew
CREATE TABLE t (id INT, v DECIMAL(38, 0)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT SUM(v) AS s FROM t;
