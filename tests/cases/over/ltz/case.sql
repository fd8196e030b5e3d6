-- case: OVER by a TIMESTAMP_LTZ event time
CREATE TABLE e (k STRING, v INT, l TIMESTAMP_LTZ(3), WATERMARK FOR l AS l - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, l, SUM(v) OVER (PARTITION BY k ORDER BY l) AS s FROM e;
SELECT k, v, l, SUM(v) OVER (PARTITION BY k ORDER BY l RANGE BETWEEN INTERVAL '5' SECOND PRECEDING AND CURRENT ROW) AS s FROM e;
