-- case: LIMIT and OFFSET alone: the first rows that came; over a changing table the count of rows
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM e LIMIT 4;
SELECT id FROM e WHERE v > 5 LIMIT 3 OFFSET 2;
SELECT id, v FROM e FETCH FIRST 2 ROWS ONLY;
SELECT COUNT(*) AS n FROM (SELECT id FROM e LIMIT 5);
SELECT id FROM e LIMIT 0;
