-- case: EXECUTE STATEMENT SET: two INSERTs from one source, and a third into the first's table
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE rows_ (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'rows_',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
CREATE TABLE windows_ (window_start TIMESTAMP(3), s INT) WITH (
  'connector' = 'kafka',
  'topic' = 'windows_',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
EXECUTE STATEMENT SET
BEGIN
  INSERT INTO rows_ SELECT k, v FROM e WHERE v > 1;
  INSERT INTO windows_ SELECT window_start, SUM(v) FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
  INSERT INTO rows_ SELECT 'neg', -v FROM e WHERE v > 2;
END;
