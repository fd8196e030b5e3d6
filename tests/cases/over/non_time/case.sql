-- case: OVER by a column that is no time: an earlier value updates the rows after it; NULL first; equal values together
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_p (k STRING, v INT, s INT, n BIGINT) WITH ('connector' = 'print');
INSERT INTO out_p SELECT k, v, SUM(v) OVER (PARTITION BY k ORDER BY v), COUNT(*) OVER (PARTITION BY k ORDER BY v) FROM e;
SELECT k, v, SUM(v) OVER (ORDER BY v) AS s, COUNT(*) OVER (ORDER BY v) AS n, MIN(k) OVER (ORDER BY v) AS mn FROM e;
