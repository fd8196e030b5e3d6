-- case: a comparison with a bare NULL
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE id = NULL;
SELECT id FROM t WHERE s = NULL;
SELECT id FROM t WHERE NULL;
