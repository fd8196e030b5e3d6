-- case: BETWEEN of dates that are cast from times does not make an interval join
-- differs: Flink dies of the sum of a DATE and an interval in a condition of a join (a ClassCastException in its generated code)
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
SELECT a.id, CAST(a.ts AS STRING) AS x, CAST(b.ts AS STRING) AS y FROM a JOIN b ON a.id = b.id AND CAST(a.ts AS DATE) BETWEEN CAST(b.ts AS DATE) AND CAST(b.ts AS DATE) + INTERVAL '1' DAY;
