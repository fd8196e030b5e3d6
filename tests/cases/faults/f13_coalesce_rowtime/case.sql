-- case: COALESCE with a literal as a time attribute
CREATE TABLE t (id INT, t TIMESTAMP(3), ts AS COALESCE(t, TIMESTAMP '2025-01-01 00:00:00.000'), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, COUNT(*) AS n FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND) GROUP BY window_start, window_end;
