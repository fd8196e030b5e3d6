-- case: ORDER BY a column that is no time, without LIMIT
-- error: Sort on a non-time-attribute field is not supported
CREATE TABLE e (k STRING, id INT, v INT) WITH (
  'connector' = 'kafka',
  'topic' = 'e',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM e ORDER BY v;
