-- case: columns, aliases, constants; a row passes only where the condition is TRUE, not where it is NULL
CREATE TABLE t (id INT, name STRING, price DOUBLE, qty INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, name AS `the name`, price * qty AS total, 1 AS c1, 'x' AS x, TRUE AS c2 FROM t WHERE price > 1 AND qty <> 3;
SELECT * FROM t WHERE NOT (price > 1 AND qty <> 3);
SELECT id FROM t WHERE price > 1 OR qty = 3;
SELECT T2.id, T2.*, 'it''s' AS `a``b` FROM t AS T2 WHERE T2.id < 3;
