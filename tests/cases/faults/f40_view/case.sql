-- case: a view dropped and declared anew
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW v AS SELECT id, s FROM t WHERE id = 1;
SELECT * FROM v;
DROP VIEW v;
CREATE VIEW v AS SELECT s, id + 10 AS id FROM t WHERE id = 2;
SELECT * FROM v;
CREATE TEMPORARY VIEW w AS SELECT id FROM v;
SELECT * FROM w;
