-- case: CEIL of a TIMESTAMP on the first day of its week, month, quarter and year
-- differs: Flink's CEIL TO WEEK, MONTH, QUARTER and YEAR gives the start of that day, which is before the time; flowline gives the start of the next unit
CREATE TABLE t (ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT ts, CEIL(ts TO WEEK) AS cweek, CEIL(ts TO MONTH) AS cmonth, CEIL(ts TO QUARTER) AS cquarter, CEIL(ts TO YEAR) AS cyear FROM t;
