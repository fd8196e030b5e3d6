-- case: the rowtime is a computed column, TO_TIMESTAMP of a text; another one counts milliseconds
CREATE TABLE e (id INT, t STRING, ts AS TO_TIMESTAMP(t, 'yyyy-MM-dd''T''HH:mm:ss''Z'''), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE ms (id INT, t BIGINT, ts AS TO_TIMESTAMP_LTZ(t, 3), WATERMARK FOR ts AS ts - INTERVAL '0.5' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'ms',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_e (window_start TIMESTAMP(3), n BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
CREATE TABLE out_ms (window_start TIMESTAMP(3), window_time TIMESTAMP_LTZ(3), n BIGINT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_ms',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_e SELECT window_start, COUNT(id) FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
INSERT INTO out_ms SELECT window_start, window_time, COUNT(id) FROM TABLE(TUMBLE(TABLE ms, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, window_time;
