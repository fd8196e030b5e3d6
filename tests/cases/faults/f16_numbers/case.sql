-- case: computed columns of numbers
CREATE TABLE t (v BIGINT, i INT, d DECIMAL(10, 2), a AS v * 1e-3, b AS v / 2, c AS v * 0.5, e AS i % 3, f AS d * d, g AS -i, h AS POWER(i, 2), j AS v + i) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
SELECT SUM(a) AS a, SUM(c) AS c, SUM(f) AS f, MAX(j) AS j FROM t;
