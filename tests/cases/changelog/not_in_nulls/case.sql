-- case: NOT IN with a NULL on the right: nothing is left; over nothing: everything, NULL too
CREATE TABLE a (id INT, k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'a',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE b (k STRING, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'b',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM a WHERE k NOT IN (SELECT k FROM b);
SELECT id FROM a WHERE v NOT IN (SELECT v FROM b);
SELECT id FROM a WHERE k NOT IN (SELECT k FROM b WHERE v > 100);
