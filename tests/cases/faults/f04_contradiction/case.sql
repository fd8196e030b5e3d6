-- case: conditions that exclude each other
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE id = 1 AND id = 2;
SELECT id FROM t WHERE id > 3 AND id < 2;
SELECT id FROM t WHERE s = 'a' AND s = 'b';
SELECT id FROM t WHERE id IS NULL AND id IS NOT NULL;
SELECT id FROM t WHERE id IS NULL AND id = 3;
SELECT id FROM t WHERE id IN (1, 2) AND id NOT IN (1, 2);
