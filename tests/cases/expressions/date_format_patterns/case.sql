-- case: DATE_FORMAT with many letters
CREATE TABLE t (ts TIMESTAMP(3), n INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT ts, DATE_FORMAT(ts, 'yyyy-MM-dd HH:mm:ss.SSS') AS a, DATE_FORMAT(ts, 'dd/MM/yy hh:mm a') AS b, DATE_FORMAT(ts, 'E, d MMM yyyy') AS c, DATE_FORMAT(ts, 'EEEE MMMM') AS d, DATE_FORMAT(ts, 'D Q') AS e, DATE_FORMAT(ts, '''at'' H''h''') AS f FROM t;
