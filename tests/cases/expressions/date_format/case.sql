-- case: DATE_FORMAT and TO_TIMESTAMP with patterns; TO_TIMESTAMP of a bad text is NULL
CREATE TABLE t (ts TIMESTAMP(3), s STRING, f STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT DATE_FORMAT(ts, 'yyyy-MM-dd HH:mm:ss.SSS') AS a, DATE_FORMAT(ts, 'yyyyMMdd') AS b, DATE_FORMAT(ts, 'yy/M/d H:m') AS c, DATE_FORMAT(ts, 'EEE MMM dd') AS d, DATE_FORMAT(ts, 'hh:mm a') AS e, DATE_FORMAT(ts, '''T''HH') AS f, DATE_FORMAT('2025-01-15 10:30:00', 'HH''h''') AS g FROM t;
SELECT s, TO_TIMESTAMP(s) AS t1, TO_TIMESTAMP(s, f) AS t2, TO_DATE(s) AS d1 FROM t;
