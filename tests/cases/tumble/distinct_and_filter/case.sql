-- case: DISTINCT and FILTER aggregates side by side
CREATE TABLE e (k STRING, u STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_w (window_start TIMESTAMP(3), n BIGINT, us BIGINT, ks BIGINT, ea BIGINT, sv INT, sd INT, du BIGINT, pct DOUBLE) WITH (
  'connector' = 'kafka',
  'topic' = 'out_w',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_w
SELECT window_start, COUNT(*), COUNT(DISTINCT u), COUNT(DISTINCT k), COUNT(*) FILTER (WHERE k = 'a'), SUM(v) FILTER (WHERE v > 1), SUM(DISTINCT v), COUNT(DISTINCT u) FILTER (WHERE k <> 'a'),
  CAST(COUNT(*) FILTER (WHERE k = 'a') AS DOUBLE) / COUNT(*) * 100
FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end;
