-- case: functions of times in a join's condition
CREATE TABLE a (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT a.id, CAST(b.ts AS STRING) AS y FROM a JOIN b ON a.id = b.id AND FLOOR(a.ts TO DAY) >= FLOOR(b.ts TO DAY) AND FLOOR(a.ts TO DAY) <= FLOOR(b.ts TO DAY) + INTERVAL '1' DAY;
SELECT a.id, CAST(b.ts AS STRING) AS y FROM a JOIN b ON a.id = b.id AND TIMESTAMPDIFF(HOUR, b.ts, a.ts) BETWEEN 0 AND 23;
