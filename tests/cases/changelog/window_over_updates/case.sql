-- case: a TUMBLE aggregate over a table with a PRIMARY KEY: only the last row of a key counts, in the window of its time
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE up (k STRING, s INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'up',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'json',
  'value.format' = 'json'
);
INSERT INTO up SELECT k, SUM(v), MAX(ts) FROM e GROUP BY k;
SELECT window_start, COUNT(*) AS n, SUM(s) AS s, MIN(k) AS mn FROM TABLE(TUMBLE(TABLE up, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
SELECT window_start, COUNT(*) AS n, MAX(s) AS mx FROM TABLE(HOP(TABLE up, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '2' MINUTES)) GROUP BY window_start, window_end;
