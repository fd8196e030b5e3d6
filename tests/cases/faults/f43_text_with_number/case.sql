-- case: text compared with numbers by < and >
CREATE TABLE t (id INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id FROM t WHERE s > 3;
SELECT id, s < 5 AS a, s >= 10 AS b, 3 < s AS c FROM t WHERE id <> 4;
SELECT id, s > 2.4 AS a FROM t;
