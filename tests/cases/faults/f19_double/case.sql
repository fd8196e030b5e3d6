-- case: DOUBLE to DECIMAL goes through the shortest decimal text
CREATE TABLE t (id INT, d DOUBLE, f FLOAT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT CAST(1.005e0 AS DECIMAL(10, 2)) AS a, CAST(2.675e0 AS DECIMAL(10, 2)) AS b, CAST(-1.005e0 AS DECIMAL(10, 2)) AS c, CAST(1.5e0 AS DECIMAL(10, 0)) AS d, CAST(2.5e0 AS DECIMAL(10, 0)) AS e FROM t WHERE id = 1;
SELECT id, CAST(d AS DECIMAL(10, 2)) AS a, CAST(f AS DECIMAL(10, 2)) AS b, CAST(d AS DECIMAL(20, 10)) AS c, CAST(d AS DECIMAL(3, 1)) AS e FROM t;
