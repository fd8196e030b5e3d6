-- case: two fields of one name in a subquery are ambiguous outside
-- error: ambiguous
CREATE TABLE t (id INT, a ROW<id INT, b ROW<id INT>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT u.id FROM (SELECT t.id, t.a.id FROM t) AS u;
