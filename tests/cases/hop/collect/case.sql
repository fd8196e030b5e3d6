-- case: LISTAGG and ARRAY_AGG in HOP and CUMULATE windows
CREATE TABLE e (k STRING, v INT, d DOUBLE, s STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT k, window_start, window_end, CHAR_LENGTH(LISTAGG(s)) AS ls, CARDINALITY(ARRAY_AGG(v)) AS n FROM TABLE(HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '2' MINUTES)) GROUP BY k, window_start, window_end;
SELECT k, window_start, window_end, CHAR_LENGTH(LISTAGG(s)) AS ls FROM TABLE(CUMULATE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '3' MINUTES)) GROUP BY k, window_start, window_end;
