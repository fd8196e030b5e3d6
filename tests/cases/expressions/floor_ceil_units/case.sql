-- case: FLOOR and CEIL of a TIMESTAMP to every unit
CREATE TABLE t (ts TIMESTAMP(3), n INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT ts, FLOOR(ts TO SECOND) AS fsecond, FLOOR(ts TO MINUTE) AS fminute, FLOOR(ts TO HOUR) AS fhour, FLOOR(ts TO DAY) AS fday, FLOOR(ts TO WEEK) AS fweek, FLOOR(ts TO MONTH) AS fmonth, FLOOR(ts TO QUARTER) AS fquarter, FLOOR(ts TO YEAR) AS fyear, FLOOR(ts TO DECADE) AS fdecade, FLOOR(ts TO CENTURY) AS fcentury, FLOOR(ts TO MILLENNIUM) AS fmillennium, FLOOR(ts TO MILLISECOND) AS fmillisecond FROM t;
SELECT ts, CEIL(ts TO SECOND) AS csecond, CEIL(ts TO MINUTE) AS cminute, CEIL(ts TO HOUR) AS chour, CEIL(ts TO DAY) AS cday, CEIL(ts TO WEEK) AS cweek, CEIL(ts TO MONTH) AS cmonth, CEIL(ts TO QUARTER) AS cquarter, CEIL(ts TO YEAR) AS cyear, CEIL(ts TO MILLISECOND) AS cmillisecond FROM t;
