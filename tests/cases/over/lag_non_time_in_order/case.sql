-- case: LAG by a column that is no time, whose values only rise
CREATE TABLE e (k STRING, v INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, s, LAG(s) OVER (PARTITION BY k ORDER BY v) AS l, LAG(v, 2, 0) OVER (PARTITION BY k ORDER BY v) AS l2 FROM e;
