-- case: one INSERT writes a table with a watermark, the next reads it
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE per_minute (k STRING, minute_ TIMESTAMP(3), s INT, WATERMARK FOR minute_ AS minute_) WITH (
  'connector' = 'kafka',
  'topic' = 'per_minute',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
CREATE TABLE per_hour (window_start TIMESTAMP(3), window_end TIMESTAMP(3), n BIGINT, s INT) WITH (
  'connector' = 'kafka',
  'topic' = 'per_hour',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO per_minute SELECT k, window_start, SUM(v) FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY k, window_start, window_end;
INSERT INTO per_hour SELECT window_start, window_end, COUNT(*), SUM(s) FROM TABLE(TUMBLE(TABLE per_minute, DESCRIPTOR(minute_), INTERVAL '1' HOUR)) GROUP BY window_start, window_end;
