-- case: IN of a subquery of another type
CREATE TABLE t (id INT, ti TINYINT, s SMALLINT, i INT, l BIGINT, d DOUBLE, de DECIMAL(10, 2), dx DECIMAL(5, 0)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (x BIGINT, y DECIMAL(6, 1)) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE i IN (SELECT x FROM u);
SELECT id FROM t WHERE de IN (SELECT y FROM u);
SELECT id FROM t WHERE s IN (SELECT x FROM u WHERE x IS NOT NULL);
