-- case: TIMESTAMP(0), (1), (2) and (6) keep so many digits
CREATE TABLE t (id INT, a TIMESTAMP(0), b TIMESTAMP(1), c TIMESTAMP(2), d TIMESTAMP(6), e TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM t;
SELECT id, CAST(e AS TIMESTAMP(0)) AS a, CAST(e AS TIMESTAMP(1)) AS b, CAST(e AS TIMESTAMP(2)) AS c, CAST(d AS TIMESTAMP(3)) AS f FROM t;
SELECT CAST(a AS STRING) AS a, CAST(b AS STRING) AS b, CAST(c AS STRING) AS c, CAST(CAST(e AS TIMESTAMP(1)) AS STRING) AS e FROM t;
