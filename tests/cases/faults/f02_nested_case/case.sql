-- case: CASE within CASE, AND within OR within CASE
CREATE TABLE t (id INT, a INT, b INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, CASE WHEN b IS NULL THEN 0 ELSE CASE WHEN b = 0 THEN 1 ELSE CASE WHEN a / b > 3 THEN a / b ELSE -(a / b) END END END AS x FROM t;
SELECT id, CASE WHEN b <> 0 AND (a / b > 4 OR a % b = 0) THEN a / b WHEN b = 0 OR 1 / b > 0 THEN 2 END AS x FROM t;
SELECT id FROM t WHERE CASE WHEN b = 0 THEN FALSE ELSE a / b > 2 END;
SELECT id FROM t WHERE CASE WHEN b <> 0 THEN a / b END > 2;
