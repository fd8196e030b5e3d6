-- case: HAVING and a filter over hopping windows; two keys
CREATE TABLE e (a STRING, b INT, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_end, a, b, SUM(v) AS s, COUNT(*) AS n FROM TABLE(HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '20' SECONDS, INTERVAL '40' SECONDS)) WHERE v IS NOT NULL GROUP BY window_start, window_end, a, b HAVING SUM(v) >= 3;
