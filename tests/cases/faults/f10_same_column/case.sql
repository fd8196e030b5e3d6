-- case: a column compared with itself, NaN and NULL
CREATE TABLE t (id INT, d DOUBLE, i INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE d = d;
SELECT id FROM t WHERE d <> d;
SELECT id FROM t WHERE d >= d;
SELECT id, d = d AS a, d <> d AS b, d <= d AS c, d < d AS e, i = i AS f, i <> i AS g FROM t;
