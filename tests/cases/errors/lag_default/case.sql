-- case: LAG with a default of another type
-- error: the default of LAG
CREATE TABLE t (id INT, s STRING, pt AS PROCTIME()) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, LAG(s, 1, 5) OVER (ORDER BY pt) AS l FROM t;
