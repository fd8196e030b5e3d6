-- case: ORDER BY a place that no column has, after UNION ALL
-- error: 5
CREATE TABLE t (id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, v FROM t UNION ALL SELECT v, id FROM t ORDER BY 5 LIMIT 3;
