-- case: IN lists under NOT, AND and OR with NULL on the left, as values
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, NOT (id IN (1) AND id IN (2)) AS a, id NOT IN (1) OR id NOT IN (2) AS b, id IN (1, 2) AND id IN (3) AS c, id IN (1, 3) OR id NOT IN (1, 3) AS d FROM t;
SELECT id, id IN (1, NULL) AS a, id NOT IN (1, NULL) AS b, id IN (NULL) AS c, NOT (id IN (1, NULL)) AS d FROM t;
SELECT id, s IN ('a', 'b') AND s IN ('b', 'c') AS a, s NOT IN ('a') OR s NOT IN ('c') AS b, (s IN ('a') OR id IN (2)) IS NULL AS c FROM t;
SELECT id, id = 1 AND id = 2 AS a, id <> 1 OR id <> 2 AS b, id = 1 OR id <> 1 AS c, id > 1 OR id <= 1 AS d, id BETWEEN 1 AND 2 OR id NOT BETWEEN 1 AND 2 AS e FROM t;
