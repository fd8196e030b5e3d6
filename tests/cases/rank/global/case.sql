-- case: Top-N of the whole stream
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, v, rn FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY v DESC, id) AS rn FROM e) WHERE rn <= 4;
SELECT id, k FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY k, v DESC, id) AS rn FROM e) WHERE rn <= 4;
