-- case: DECIMALs whose digits do not fit together lose those after the point
CREATE TABLE t (id INT, a DECIMAL(38, 0), b DECIMAL(30, 25)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, CASE WHEN id > 2 THEN a ELSE b END AS x, COALESCE(a, b) AS y FROM t;
