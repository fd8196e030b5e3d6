-- case: the fraction of a TIME literal
CREATE TABLE t (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT TIME '01:02:03.5' AS a, TIME '01:02:03' AS b, CAST(TIME '01:02:03.125' AS STRING) AS c FROM t;
SELECT TYPEOF(TIME '01:02:03.5') AS a, TYPEOF(TIME '01:02:03') AS b FROM t;
SELECT TIME '01:02:03.5' > TIME '01:02:03.4' AS a, TIME '01:02:03.5' = TIME '01:02:03.50' AS b, EXTRACT(SECOND FROM TIME '01:02:03.5') AS c FROM t;
