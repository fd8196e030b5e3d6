-- case: a map literal with one key twice
-- differs: a key that is there twice is an error, where Flink keeps the last
-- error: duplicate key
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT MAP['a', id, 'a', id + 1] AS m, MAP['a', 1, 'a', 2]['a'] AS v FROM t;
