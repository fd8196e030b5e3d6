-- case: NULLIF and UNION ALL of DECIMAL and DOUBLE
CREATE TABLE t (id INT, d DOUBLE, f FLOAT, de DECIMAL(10, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, NULLIF(d, de) AS a, NULLIF(de, d) AS b FROM t WHERE id <> 5;
SELECT de FROM t UNION ALL SELECT d FROM t WHERE id < 5;
