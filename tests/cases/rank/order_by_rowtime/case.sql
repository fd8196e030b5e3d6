-- case: ORDER BY event time: rows come out at the watermark, in order; LAST of the second key decides equal times
CREATE TABLE e (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_o (k STRING, v INT, ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 'out_o',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_o SELECT k, v, ts FROM e ORDER BY ts;
SELECT k, v, ts FROM e ORDER BY ts, v DESC;
SELECT k, v FROM e WHERE v > 4 ORDER BY ts;
