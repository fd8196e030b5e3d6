-- case: a correlated COUNT whose equality compares expressions
CREATE TABLE t (id INT, name STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE o (name STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'o',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT t.id, (SELECT COUNT(*) FROM o WHERE UPPER(o.name) = UPPER(t.name)) AS n,
  (SELECT SUM(v) FROM o WHERE UPPER(t.name) = o.name) AS s FROM t;
