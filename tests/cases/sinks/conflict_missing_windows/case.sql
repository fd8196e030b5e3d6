-- case: a window aggregate into a table keyed by its grouping columns, without ON CONFLICT
-- differs: Flink knows no upsert key of a window aggregate; flowline does: no two rows can meet in a key that contains the grouping columns
CREATE TABLE e (k STRING, g STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_k (k STRING, w TIMESTAMP(3), x TIMESTAMP(3), s INT, PRIMARY KEY (k, w, x) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'out_k',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO out_k SELECT k, window_start, window_end, SUM(v) FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY k, window_start, window_end;
