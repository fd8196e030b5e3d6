-- case: a comparison with ANY and SOME of a subquery
CREATE TABLE t (id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE u (v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'u',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE v = ANY (SELECT v FROM u);
SELECT id FROM t WHERE v = SOME (SELECT v FROM u WHERE v > 15);
