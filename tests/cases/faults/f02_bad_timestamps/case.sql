-- case: casts of bad times that must not be reached
CREATE TABLE t (id INT, ok BOOLEAN, val STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE ok AND CAST(val AS TIMESTAMP(3)) < TIMESTAMP '2025-01-31 00:00:00';
SELECT id, CASE WHEN ok THEN CAST(val AS DATE) END AS d FROM t;
SELECT id, ok AND EXTRACT(MONTH FROM CAST(val AS TIMESTAMP(3))) = 2 AS x FROM t;
