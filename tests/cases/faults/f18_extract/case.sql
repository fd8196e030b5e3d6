-- case: hours of times in a join's condition
-- differs: Flink takes this for an interval join of the times, with 22 milliseconds for 22 hours of the day, and finds nothing
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
SELECT a.id, CAST(b.ts AS STRING) AS y FROM a JOIN b ON a.id = b.id AND EXTRACT(HOUR FROM a.ts) BETWEEN EXTRACT(HOUR FROM b.ts) AND EXTRACT(HOUR FROM b.ts) + 22;
