-- case: the types of VARCHAR, STRING, CHAR and their casts
CREATE TABLE t (id INT, s STRING, v VARCHAR(5)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT TYPEOF(s) AS a, TYPEOF(v) AS b, TYPEOF(CAST(s AS VARCHAR(3))) AS c, TYPEOF(CAST(s AS CHAR(3))) AS d, TYPEOF('abc') AS e, TYPEOF(s || v) AS f FROM t;
SELECT TYPEOF(CAST(s AS VARCHAR)) AS a, TYPEOF(CAST(s AS STRING)) AS b FROM t;
