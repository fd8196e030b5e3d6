-- case: named arguments, in another order
CREATE TABLE e (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT window_start, window_end, SUM(id) AS s
FROM TABLE(TUMBLE(DATA => TABLE e, SIZE => INTERVAL '10' MINUTES, TIMECOL => DESCRIPTOR(ts), `OFFSET` => INTERVAL '1' MINUTE))
GROUP BY window_start, window_end;
