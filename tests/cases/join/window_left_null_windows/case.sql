-- case: the windows of the side that has no match are NULL, and rows are aggregated by them
-- differs: Flink cannot plan it (an assertion of its planner fails: the columns of the windows are NOT NULL before the rewrite)
CREATE TABLE l (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR) WITH (
  'connector' = 'kafka',
  'topic' = 'l',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE r (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR) WITH (
  'connector' = 'kafka',
  'topic' = 'r',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, window_end, COUNT(*) AS n, SUM(lv) AS s FROM (SELECT x.v AS lv, y.window_start, y.window_end FROM (SELECT * FROM TABLE(TUMBLE(TABLE l, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) AS x LEFT JOIN (SELECT * FROM TABLE(TUMBLE(TABLE r, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) AS y ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end) GROUP BY window_start, window_end;
