-- case: views that give nothing under joins
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW nothing AS SELECT id, s FROM t WHERE 1 = 0;
CREATE VIEW neither AS SELECT id, v FROM u WHERE v = 1 AND v = 2;
SELECT u.id, nothing.s FROM u JOIN nothing ON u.id = nothing.id;
SELECT u.id, nothing.s FROM u LEFT JOIN nothing ON u.id = nothing.id;
SELECT t.id, neither.v FROM neither RIGHT JOIN t ON neither.id = t.id;
SELECT t.id, neither.v FROM t FULL JOIN neither ON t.id = neither.id;
SELECT t.id, u.v FROM t JOIN u ON t.id = u.id AND 1 = 0;
SELECT t.id, u.v FROM t LEFT JOIN u ON t.id = u.id AND FALSE;
