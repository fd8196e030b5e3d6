-- case: window join, RIGHT: pairs of one window and key, written when the window closes
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
CREATE TABLE out_w (lk STRING, lv INT, rk STRING, rv INT, ws TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 'out_w',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_w SELECT x.k AS lk, x.v AS lv, y.k AS rk, y.v AS rv, COALESCE(x.window_start, y.window_start) AS ws FROM (SELECT * FROM TABLE(TUMBLE(TABLE l, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) AS x RIGHT JOIN (SELECT * FROM TABLE(TUMBLE(TABLE r, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) AS y ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end;
SELECT x.k AS lk, x.v AS lv, y.k AS rk, y.v AS rv, COALESCE(x.window_start, y.window_start) AS ws FROM (SELECT * FROM TABLE(TUMBLE(TABLE l, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) AS x RIGHT JOIN (SELECT * FROM TABLE(TUMBLE(TABLE r, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) AS y ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end AND x.v * 30 < y.v;
