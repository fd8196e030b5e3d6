-- case: an aggregate without keys over a table that is emptied in the end
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_p (n BIGINT, s INT) WITH ('connector' = 'print');
INSERT INTO out_p SELECT COUNT(*), SUM(s) FROM (SELECT k, SUM(v) AS s FROM e GROUP BY k HAVING SUM(v) > 0);
