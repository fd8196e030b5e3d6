-- case: AND stops at the first false, row by row
CREATE TABLE t (id INT, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE b <> 0 AND a / b > 2;
SELECT id FROM t WHERE b IS NOT NULL AND b <> 0 AND a / b >= 1 AND a % b = 0;
SELECT id FROM t WHERE id <> 2 AND id NOT IN (4, 6) AND 10 / b > 3;
SELECT id FROM t WHERE NOT (b = 0) AND a / b > 2;
