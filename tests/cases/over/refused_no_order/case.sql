-- case: OVER without ORDER BY
-- differs: Flink wants a time column in ORDER BY; flowline computes the aggregate over the whole partition and updates it
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, SUM(v) OVER (PARTITION BY k) AS l FROM e;
