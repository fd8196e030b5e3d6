-- case: text compared with times
CREATE TABLE t (id INT, ts TIMESTAMP(3), d DATE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE ts > '2025-01-01';
SELECT id FROM t WHERE ts >= '2025-01-01 00:00:00' AND d < '2025-01-02';
SELECT id, ts = '2025-01-02 10:00:00' AS a, d BETWEEN '2025-01-01' AND '2025-01-31' AS b FROM t;
