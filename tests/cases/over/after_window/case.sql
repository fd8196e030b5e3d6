-- case: OVER over a window aggregate, by its window_time
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_o (k STRING, window_start TIMESTAMP(3), s INT, total INT, before_ INT, last2 INT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_o',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
CREATE VIEW w AS SELECT k, window_start, window_time, SUM(v) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end, window_time;
INSERT INTO out_o SELECT k, window_start, s, SUM(s) OVER x, LAG(s) OVER x, LAST_VALUE(s) OVER x FROM w WINDOW x AS (PARTITION BY k ORDER BY window_time);
SELECT k, window_start, SUM(s) OVER (PARTITION BY k ORDER BY window_time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS two FROM w;
SELECT k, window_start, MAX(s) OVER (ORDER BY window_time) AS mx FROM w;
