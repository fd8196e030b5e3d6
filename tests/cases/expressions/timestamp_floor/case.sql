-- case: FLOOR and CEIL of timestamps to a unit
CREATE TABLE t (ts TIMESTAMP(3), d DATE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT ts, FLOOR(ts TO SECOND) AS s, FLOOR(ts TO MINUTE) AS mi, FLOOR(ts TO HOUR) AS h, FLOOR(ts TO DAY) AS d, FLOOR(ts TO MONTH) AS mo, FLOOR(ts TO YEAR) AS y, FLOOR(ts TO QUARTER) AS q FROM t;
SELECT ts, CEIL(ts TO SECOND) AS s, CEIL(ts TO MINUTE) AS mi, CEIL(ts TO HOUR) AS h, CEIL(ts TO DAY) AS d, CEIL(ts TO MONTH) AS mo, CEIL(ts TO YEAR) AS y FROM t;
SELECT FLOOR(d TO MONTH) AS fm, FLOOR(d TO YEAR) AS fy, CEIL(d TO MONTH) AS cm, FLOOR(ts TO WEEK) AS w FROM t;
