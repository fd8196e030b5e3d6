-- case: DECIMAL in lists with DOUBLE and FLOAT
CREATE TABLE t (id INT, d DOUBLE, f FLOAT, de DECIMAL(10, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, d IN (1.25, 1.5) AS a, de IN (d, f) AS b, d NOT IN (de, 1.5) AS c FROM t WHERE id < 5;
