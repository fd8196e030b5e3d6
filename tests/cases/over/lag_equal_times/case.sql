-- case: LAG where rows have equal times: they all get the last but one of everything so far
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, v, ts, LAG(v) OVER (PARTITION BY k ORDER BY ts) AS l FROM e;
SELECT k, v, ts, LAG(COALESCE(v, 0), 2, -1) OVER (PARTITION BY k ORDER BY ts) AS l FROM e;
