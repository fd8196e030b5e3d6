-- case: a table by its whole name
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM default_catalog.default_database.t;
SELECT id FROM default_database.t WHERE id = 2;
SELECT default_catalog.default_database.t.id FROM t;
