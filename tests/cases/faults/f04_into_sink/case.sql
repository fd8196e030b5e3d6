-- case: a query that gives nothing into a sink
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_a (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'out_a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
INSERT INTO out_a SELECT id, s FROM t WHERE 1 = 0;
INSERT INTO out_a SELECT id, s FROM t WHERE id = 3;
