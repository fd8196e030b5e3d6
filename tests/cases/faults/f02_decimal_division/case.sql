-- case: a DECIMAL division out of range is reached by no row that a filter drops
CREATE TABLE t (id INT, d DECIMAL(38, 0), e DECIMAL(3, 2)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, d / e AS q, MOD(d, e) AS m FROM t WHERE e <> 0 AND d / e > 0.5;
