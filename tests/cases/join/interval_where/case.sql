-- case: interval join written as FROM l, r WHERE; bounds with < and <=, on either side; equal times
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
SELECT l.v AS lv, r.v AS rv FROM l, r WHERE l.k = r.k AND r.ts BETWEEN l.ts AND l.ts + INTERVAL '49' SECOND;
SELECT l.v AS lv, r.v AS rv FROM l, r WHERE l.k = r.k AND l.ts - INTERVAL '1' MINUTE < r.ts AND r.ts < l.ts + INTERVAL '49' SECOND AND r.v > 101;
SELECT l.v AS lv, r.v AS rv FROM l, r WHERE l.k = r.k AND l.ts = r.ts;
SELECT l.v AS lv, r.v AS rv, r.ts AS t FROM l JOIN r ON l.k = r.k WHERE r.ts > l.ts - INTERVAL '30' SECOND AND r.ts <= l.ts + INTERVAL '1' MINUTE;
