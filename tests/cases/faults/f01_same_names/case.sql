-- case: fields with the name of a column and of each other
CREATE TABLE t (id INT, a ROW<id INT, b ROW<id INT>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT t.id, t.a.id, t.a.b.id FROM t;
SELECT t.a.id AS x, t.id AS y, t.a.id AS z, t.a.b.id AS w FROM t WHERE t.a.id > t.id;
