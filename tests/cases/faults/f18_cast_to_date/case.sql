-- case: times cast to dates in a join's condition do not make an interval join
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
SELECT a.id, CAST(b.ts AS STRING) AS y FROM a LEFT JOIN b ON a.id = b.id AND CAST(a.ts AS DATE) = CAST(b.ts AS DATE);
SELECT a.id, CAST(b.ts AS STRING) AS y FROM a JOIN b ON a.id = b.id AND CAST(a.ts AS DATE) >= CAST(b.ts AS DATE);
