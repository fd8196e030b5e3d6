-- case: all fields of a row within a row whose name is a table's
CREATE TABLE t (id INT, t INT, r ROW<a INT, t ROW<id INT, u STRING>>, xs ARRAY<ROW<k STRING, v INT>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT r.t.* FROM t;
SELECT t.r.t.*, id FROM t;
SELECT t.r.* FROM t;
SELECT t.* FROM t WHERE id = 1;
