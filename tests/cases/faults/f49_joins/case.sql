-- case: DECIMAL joined with DOUBLE
CREATE TABLE t (id INT, d DOUBLE, f FLOAT, de DECIMAL(10, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (x DECIMAL(5, 3), y DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT t.id, u.x FROM t JOIN u ON t.d = u.x;
SELECT t.id, u.y FROM t JOIN u ON t.de = u.y;
