-- case: an offset, named arguments, and the function without aggregation
CREATE TABLE e (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, window_end, SUM(id) AS s, COUNT(DISTINCT id) AS n FROM TABLE(CUMULATE(DATA => TABLE e, TIMECOL => DESCRIPTOR(ts), STEP => INTERVAL '12' HOURS, SIZE => INTERVAL '1' DAY, `OFFSET` => INTERVAL '-5' HOURS)) GROUP BY window_start, window_end;
SELECT id, window_start, window_end FROM TABLE(CUMULATE(TABLE e, DESCRIPTOR(ts), INTERVAL '8' HOURS, INTERVAL '1' DAY));
