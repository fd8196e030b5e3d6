-- case: rows with event times joined without any bound on them: a regular join
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
SELECT l.v AS lv, r.v AS rv, CAST(l.ts AS TIMESTAMP(3)) AS lts FROM l JOIN r ON l.k = r.k;
SELECT l.v AS lv, r.v AS rv FROM l LEFT JOIN r ON l.k = r.k AND r.ts > l.ts;
