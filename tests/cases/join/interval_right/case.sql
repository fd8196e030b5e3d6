-- case: interval join, RIGHT: both bounds included; a row without a match is given out once no match can come
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
CREATE TABLE out_i (lk STRING, lv INT, rk STRING, rv INT) WITH (
  'connector' = 'kafka',
  'topic' = 'out_i',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);
INSERT INTO out_i SELECT l.k AS lk, l.v AS lv, r.k AS rk, r.v AS rv FROM l RIGHT JOIN r ON l.k = r.k AND r.ts BETWEEN l.ts - INTERVAL '10' SECOND AND l.ts + INTERVAL '30' SECOND;
SELECT l.k AS lk, l.v AS lv, r.k AS rk, r.v AS rv FROM l RIGHT JOIN r ON l.k = r.k AND r.ts BETWEEN l.ts - INTERVAL '10' SECOND AND l.ts + INTERVAL '30' SECOND AND l.v + r.v > 106;
SELECT l.k AS lk, l.v AS lv, r.k AS rk, r.v AS rv FROM l RIGHT JOIN r ON l.k = r.k AND l.ts >= r.ts - INTERVAL '1' MINUTE AND l.ts < r.ts;
