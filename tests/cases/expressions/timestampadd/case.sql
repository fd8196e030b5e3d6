-- case: TIMESTAMPADD and TIMESTAMPDIFF with every unit
CREATE TABLE t (ts TIMESTAMP(3), n INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT ts, TIMESTAMPADD(SECOND, n, ts) AS asecond, TIMESTAMPADD(MINUTE, n, ts) AS aminute, TIMESTAMPADD(HOUR, n, ts) AS ahour, TIMESTAMPADD(DAY, n, ts) AS aday, TIMESTAMPADD(WEEK, n, ts) AS aweek, TIMESTAMPADD(MONTH, n, ts) AS amonth, TIMESTAMPADD(QUARTER, n, ts) AS aquarter, TIMESTAMPADD(YEAR, n, ts) AS ayear FROM t;
SELECT ts, TIMESTAMPDIFF(SECOND, ts, TIMESTAMP '2024-12-31 12:00:00') AS dsecond, TIMESTAMPDIFF(MINUTE, ts, TIMESTAMP '2024-12-31 12:00:00') AS dminute, TIMESTAMPDIFF(HOUR, ts, TIMESTAMP '2024-12-31 12:00:00') AS dhour, TIMESTAMPDIFF(DAY, ts, TIMESTAMP '2024-12-31 12:00:00') AS dday, TIMESTAMPDIFF(WEEK, ts, TIMESTAMP '2024-12-31 12:00:00') AS dweek, TIMESTAMPDIFF(MONTH, ts, TIMESTAMP '2024-12-31 12:00:00') AS dmonth, TIMESTAMPDIFF(QUARTER, ts, TIMESTAMP '2024-12-31 12:00:00') AS dquarter, TIMESTAMPDIFF(YEAR, ts, TIMESTAMP '2024-12-31 12:00:00') AS dyear FROM t;
