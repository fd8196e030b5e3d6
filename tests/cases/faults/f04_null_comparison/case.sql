-- case: a comparison with NULL gives no rows
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE id = CAST(NULL AS INT);
SELECT id FROM t WHERE id <> CAST(NULL AS INT);
SELECT id FROM t WHERE CAST(NULL AS BOOLEAN);
SELECT id FROM t WHERE id IN (CAST(NULL AS INT));
SELECT id FROM t WHERE id BETWEEN CAST(NULL AS INT) AND 5;
