-- case: UNION ALL of filters, constants and of two tables; names are those of the first
CREATE TABLE a (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (n BIGINT, t STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_u (id BIGINT, s STRING, src STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'out_u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_u SELECT id, s, 'a' FROM a UNION ALL SELECT n, t, 'b' FROM b WHERE n > 1 UNION ALL SELECT id * 10, 'x' || s, 'again' FROM a;
SELECT COUNT(*) AS n, SUM(v) AS s FROM (SELECT id AS v FROM a UNION ALL SELECT n FROM b);
