-- case: an interval join without equal keys
CREATE TABLE l (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR) WITH (
  'connector' = 'kafka',
  'topic' = 'l',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE r (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR) WITH (
  'connector' = 'kafka',
  'topic' = 'r',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT l.v AS lv, r.v AS rv FROM l JOIN r ON r.ts BETWEEN l.ts AND l.ts + INTERVAL '20' SECOND;
SELECT l.v AS lv, r.v AS rv FROM l LEFT JOIN r ON r.ts BETWEEN l.ts - INTERVAL '1' SECOND AND l.ts;
