-- case: INSERT with a column list: in another order, the rest NULL; INSERT of VALUES; implicit widening
CREATE TABLE e (a INT, b STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_t (x BIGINT, y STRING, z DOUBLE, d DECIMAL(8, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 'out_t',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_t (y, x) SELECT b, a FROM e;
INSERT INTO out_t VALUES (1, 'v', 1.5, 2), (2, CAST(NULL AS STRING), 2, 2.345);
INSERT INTO out_t (z) SELECT a FROM e;
INSERT INTO out_t SELECT a, b, a, a FROM e;
