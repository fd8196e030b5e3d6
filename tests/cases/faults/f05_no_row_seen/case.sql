-- case: COUNT over a filter that no row passes, but could
CREATE TABLE t (id INT, g INT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT COUNT(*) AS n FROM t WHERE id > 100;
SELECT SUM(id) AS s FROM t WHERE s = 'zzz';
