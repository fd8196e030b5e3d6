-- case: CREATE TABLE LIKE takes columns, watermark and options, and overrides some
CREATE TABLE e (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE f (extra STRING, twice AS id * 2) WITH ('topic' = 'f') LIKE e;
CREATE TABLE g (WATERMARK FOR ts AS ts) WITH ('topic' = 'g') LIKE e (OVERWRITING WATERMARKS);
CREATE TABLE out_t WITH ('topic' = 'out_t') LIKE e (EXCLUDING WATERMARKS);
INSERT INTO out_t SELECT id, ts FROM e;
SELECT id, ts, extra, twice FROM f;
SELECT window_start, SUM(id) AS s FROM TABLE(TUMBLE(TABLE f, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
SELECT window_start, SUM(id) AS s FROM TABLE(TUMBLE(TABLE g, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
