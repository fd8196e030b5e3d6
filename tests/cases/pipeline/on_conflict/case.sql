-- case: a window aggregate into a keyed table needs ON CONFLICT
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE latest (k STRING, window_start TIMESTAMP(3), s INT, PRIMARY KEY (k, window_start) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'latest',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO latest SELECT k, window_start, SUM(v) FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY k, window_start, window_end ON CONFLICT DO DEDUPLICATE;
