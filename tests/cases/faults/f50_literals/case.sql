-- case: IN lists of literals of other types
CREATE TABLE t (id INT, ti TINYINT, s SMALLINT, i INT, l BIGINT, d DOUBLE, de DECIMAL(10, 2), dx DECIMAL(5, 0)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, i IN (42.0, 8.5) AS a, l IN (4.2e1, 5) AS b, ti IN (42, 300, 9) AS c, de IN (1.5, 42) AS e, d IN (1.5, 42) AS f, s IN (1.0, NULL) AS g FROM t;
SELECT id, i NOT IN (42.5, 8) AS a, d NOT IN (9, NULL) AS b, de NOT IN (5) AS c FROM t;
