-- case: tables of one name in two databases
-- not yet: CREATE DATABASE
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE DATABASE db1;
CREATE DATABASE db2;
CREATE VIEW db1.orders AS SELECT id FROM t WHERE id = 1;
CREATE VIEW db2.orders AS SELECT id + 10 AS id FROM t WHERE id = 2;
SELECT id FROM db1.orders;
SELECT a.id, b.id AS id2 FROM db1.orders AS a JOIN db2.orders AS b ON a.id + 11 = b.id;
USE db2;
SELECT id FROM orders;
