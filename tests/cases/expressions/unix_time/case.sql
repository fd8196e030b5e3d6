-- case: FROM_UNIXTIME, UNIX_TIMESTAMP of a text, TO_TIMESTAMP_LTZ, TO_DATE
CREATE TABLE t (l BIGINT, s STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT l, FROM_UNIXTIME(l) AS f, FROM_UNIXTIME(l, 'yyyy/MM/dd') AS fd, UNIX_TIMESTAMP(s) AS u, UNIX_TIMESTAMP(s, 'yyyy-MM-dd HH:mm:ss') AS us, TO_TIMESTAMP_LTZ(l, 0) AS t0, TO_TIMESTAMP_LTZ(l, 3) AS t3, TO_DATE(s) AS d, TO_DATE('15.01.2025', 'dd.MM.yyyy') AS d2 FROM t;
