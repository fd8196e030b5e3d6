-- case: DOUBLE, FLOAT and DECIMAL to text and to whole numbers
CREATE TABLE t (id INT, d DOUBLE, f FLOAT, n DECIMAL(12, 4)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, CAST(d AS STRING) AS a, CAST(f AS STRING) AS b, CAST(n AS STRING) AS c, CAST(n AS DOUBLE) AS e FROM t;
SELECT id, CAST(d AS BIGINT) AS a, CAST(n AS INT) AS b, CAST(n AS DECIMAL(8, 1)) AS c, ROUND(d, 2) AS e, ROUND(n, 2) AS g FROM t WHERE id < 6;
