-- case: a correlated aggregate that compares NULLs
-- differs: the rows that meet are added up; Flink 2.3 joins what it has added up by =, so NULL meets nothing
CREATE TABLE t (id INT, g INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, (SELECT SUM(b.v) + 1 FROM t AS b WHERE b.g IS NOT DISTINCT FROM a.g AND b.v <> a.v) AS s FROM t AS a;
