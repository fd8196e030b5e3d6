-- case: FILTER and CASE of a window aggregate stop where they are decided
CREATE TABLE t (ts TIMESTAMP(3), k STRING, a INT, b INT, WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, k, COUNT(*) FILTER (WHERE b <> 0 AND a / b > 2) AS n, SUM(CASE WHEN b = 0 THEN a ELSE a / b END) AS s
FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE) WHERE b = 0 OR a / b < 100 GROUP BY window_start, window_end, k
HAVING SUM(b) = 0 OR SUM(a) / SUM(b) > 1;
