-- case: LAG over event time: offsets, a default, NULL values, expressions; rows come in another order than their times
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_o (k STRING, v INT, ts TIMESTAMP(3), l1 INT, l2 INT, ld INT, l0 INT, lt STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'out_o',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_o SELECT k, v, ts, LAG(v) OVER w, LAG(v, 2) OVER w, LAG(COALESCE(v, 0), 1, -100) OVER w, LAG(v, 0) OVER w, LAG(COALESCE(k, '') || '!', 1, 'none') OVER w FROM e WINDOW w AS (PARTITION BY k ORDER BY ts);
SELECT k, v, ts, LAG(v) OVER (ORDER BY ts) AS g, LAG(COALESCE(v, 0) + 1, 3, 0) OVER (ORDER BY ts) AS g3 FROM e;
SELECT k, v, v - LAG(v) OVER (PARTITION BY k ORDER BY ts) AS change_, LAG(CAST(ts AS TIMESTAMP(3))) OVER (PARTITION BY k ORDER BY ts) AS before_ FROM e;
