-- case: GREATEST and LEAST of DECIMAL and DOUBLE
CREATE TABLE t (id INT, d DOUBLE, f FLOAT, de DECIMAL(10, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, GREATEST(de, d) AS a, LEAST(de, d) AS b FROM t WHERE id IN (1, 4);
