-- case: computed columns of times, one of them the time attribute
CREATE TABLE t (id INT, millis BIGINT, txt STRING, ts AS TO_TIMESTAMP_LTZ(millis, 3), d AS CAST(TO_TIMESTAMP(txt) AS DATE), y AS EXTRACT(YEAR FROM TO_TIMESTAMP(txt)), f AS DATE_FORMAT(TO_TIMESTAMP(txt), 'yyyyMM'), p AS TO_TIMESTAMP(txt) + INTERVAL '1' DAY, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, d, y, f, p, ts FROM t;
SELECT window_start, COUNT(d) AS n FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE) GROUP BY window_start, window_end;
