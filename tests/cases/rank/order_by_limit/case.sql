-- case: ORDER BY ... LIMIT: a Top-N of the whole stream; OFFSET and FETCH FIRST
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, v FROM e ORDER BY v DESC, id LIMIT 3;
SELECT id, v FROM e ORDER BY v, id LIMIT 3 OFFSET 2;
SELECT id FROM e ORDER BY v DESC, id OFFSET 1 ROWS FETCH FIRST 2 ROWS ONLY;
SELECT id, v FROM e WHERE v IS NOT NULL ORDER BY v, id DESC FETCH NEXT 2 ROWS ONLY;
SELECT k, id FROM e ORDER BY k DESC, v DESC, id LIMIT 4;
SELECT id FROM e ORDER BY v LIMIT 100;
