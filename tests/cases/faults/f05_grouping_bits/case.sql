-- case: GROUPING and GROUPING_ID where one column is in every set
CREATE TABLE t (a STRING, b STRING, c STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a, b, c, GROUPING(a) AS ga, GROUPING(b) AS gb, GROUPING(c) AS gc, GROUPING_ID(a, b, c) AS id, SUM(v) AS s
FROM t GROUP BY GROUPING SETS ((a), (b)), c;
