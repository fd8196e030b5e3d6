-- case: remainders into sinks and sums of remainders
CREATE TABLE t (t TINYINT, s SMALLINT, i INT, l BIGINT, d DECIMAL(10, 2), f DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_m (k INT, s INT) WITH ('connector' = 'print');
INSERT INTO out_m SELECT l % 10, SUM(l % i) FROM t GROUP BY l % 10;
SELECT SUM(l % 7) AS a, MAX(i % s) AS b, COUNT(DISTINCT l % 2) AS c FROM t;
