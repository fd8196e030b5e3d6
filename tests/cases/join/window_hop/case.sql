-- case: window joins of HOP and CUMULATE windows
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
SELECT x.k AS lk, x.v AS lv, y.k AS rk, y.v AS rv, COALESCE(x.window_start, y.window_start) AS ws FROM (SELECT * FROM TABLE(HOP(TABLE l, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '2' MINUTES))) AS x INNER JOIN (SELECT * FROM TABLE(HOP(TABLE r, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '2' MINUTES))) AS y ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end;
SELECT x.k AS lk, x.v AS lv, y.k AS rk, y.v AS rv, COALESCE(x.window_start, y.window_start) AS ws FROM (SELECT * FROM TABLE(CUMULATE(TABLE l, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '2' MINUTES))) AS x LEFT JOIN (SELECT * FROM TABLE(CUMULATE(TABLE r, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '2' MINUTES))) AS y ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end;
