-- case: NaN in comparisons of FLOAT and of FLOAT with other numbers
CREATE TABLE t (id INT, f FLOAT, d DOUBLE, n DECIMAL(5, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, f > 1 AS a, f < d AS b, f >= d AS c, f = d AS e, f <> d AS g FROM t;
SELECT id FROM t WHERE f > d OR f <= d;
SELECT id, d > n AS a, d <= n AS b, f <> n AS c FROM t;
