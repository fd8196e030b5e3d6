-- case: NaN and signed zeros in the conditions of joins
CREATE TABLE t (id INT, x DOUBLE, y DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (uid INT, z DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, uid FROM t JOIN u ON t.id = u.uid AND t.x > u.z;
SELECT id, uid FROM t JOIN u ON t.x >= u.z AND t.id = 1;
