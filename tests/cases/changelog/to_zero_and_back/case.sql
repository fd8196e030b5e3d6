-- case: an outer group whose last row is withdrawn is deleted; the next row inserts it anew
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_p (b BOOLEAN, n BIGINT, s INT) WITH ('connector' = 'print');
INSERT INTO out_p SELECT k = 'a', COUNT(*), SUM(s) FROM (SELECT k, SUM(v) AS s FROM e GROUP BY k HAVING SUM(v) > 0) GROUP BY k = 'a';
