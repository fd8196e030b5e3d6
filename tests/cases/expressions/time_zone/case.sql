-- case: TIMESTAMP_LTZ is an instant: its text, its parts and its casts are in the session's time zone
-- not yet: 'table.local-time-zone' does not take
-- ts of the second row is in the hour that the clocks of Berlin skip, l of the third and fourth in the one they repeat.
SET 'table.local-time-zone' = 'Europe/Berlin';
CREATE TABLE t (l TIMESTAMP_LTZ(3), ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT l, CAST(l AS TIMESTAMP(3)) AS lts, CAST(l AS STRING) AS s, CAST(l AS DATE) AS d, HOUR(l) AS h, DATE_FORMAT(l, 'yyyy-MM-dd HH:mm') AS f, l + INTERVAL '1' DAY AS d1, CAST(ts AS TIMESTAMP_LTZ(3)) AS tl, l > ts AS gt FROM t;
SELECT TO_TIMESTAMP_LTZ(1736935200, 0) AS a, TO_TIMESTAMP_LTZ(1736935200123, 3) AS b, TO_TIMESTAMP_LTZ(-1, 3) AS c FROM t WHERE l = TO_TIMESTAMP_LTZ(1736935200, 0);
