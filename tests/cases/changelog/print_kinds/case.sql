-- case: a print sink takes all four kinds of change
CREATE TABLE e (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_p (k STRING, n BIGINT, s INT) WITH ('connector' = 'print');
INSERT INTO out_p SELECT k, COUNT(*), SUM(v) FROM e GROUP BY k HAVING SUM(v) > 0;
