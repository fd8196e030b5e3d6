-- case: IN lists under NOT, AND and OR with NULL on the left, in WHERE
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s FROM t WHERE NOT (id IN (1) AND id IN (2));
SELECT id, s FROM t WHERE id NOT IN (1) OR id NOT IN (2);
SELECT id, s FROM t WHERE id IN (1, 2) OR id NOT IN (1, 2);
SELECT id, s FROM t WHERE NOT (id IN (1, 2) AND id IN (3, 4));
SELECT id, s FROM t WHERE NOT (s = 'a' AND s = 'b');
SELECT id, s FROM t WHERE s NOT IN ('a', 'x') OR s NOT IN ('b', 'x');
