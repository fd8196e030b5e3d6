-- case: conditions that always hold
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE 1 = 1;
SELECT id FROM t WHERE TRUE OR id = 1;
SELECT id FROM t WHERE id = 1 OR id <> 1;
SELECT id FROM t WHERE id IS NULL OR id IS NOT NULL;
SELECT id FROM t WHERE NOT FALSE;
