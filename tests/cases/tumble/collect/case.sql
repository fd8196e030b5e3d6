-- case: FIRST_VALUE, LAST_VALUE, LISTAGG and ARRAY_AGG in TUMBLE windows: in the order of arrival
CREATE TABLE e (k STRING, v INT, d DOUBLE, s STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, window_start, window_end, FIRST_VALUE(s) AS f, LAST_VALUE(s) AS l, LISTAGG(s) AS ls, ARRAY_AGG(v) AS vs, LISTAGG(DISTINCT s, '-') AS ld, COUNT(DISTINCT v) AS dv FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY k, window_start, window_end;
