-- case: no PARTITION BY: one session for everything; extra group keys split it only for the aggregate
CREATE TABLE e (k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, window_end, COUNT(*) AS n, COUNT(DISTINCT k) AS ks FROM TABLE(SESSION(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
SELECT window_start, window_end, COUNT(*) AS n FROM TABLE(SESSION(DATA => TABLE e, TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '2' MINUTES)) GROUP BY window_start, window_end;
