-- case: DROP TABLE of a view
-- error: 'v' is a view
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE VIEW v AS SELECT id FROM t;
DROP TABLE v;
