-- case: OR stops at the first true, row by row
CREATE TABLE t (id INT, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE b = 0 OR a / b > 2;
SELECT id FROM t WHERE b IS NULL OR b = 0 OR MOD(a, b) = 0;
SELECT id FROM t WHERE (b = 0 OR a / b > 2) AND (b = 0 OR a / b < 9);
SELECT id FROM t WHERE NOT (b = 0 OR a / b > 4);
