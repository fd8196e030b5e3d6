-- case: IS JSON and its kinds
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, s IS JSON AS j, s IS JSON VALUE AS v, s IS JSON OBJECT AS o, s IS JSON ARRAY AS a, s IS JSON SCALAR AS sc, s IS NOT JSON AS nj FROM t;
