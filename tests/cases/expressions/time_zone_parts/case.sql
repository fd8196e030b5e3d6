-- case: EXTRACT(EPOCH) and FLOOR TO DAY of an instant in another time zone
-- not yet: 'table.local-time-zone' does not take
-- differs: Flink counts EXTRACT(EPOCH) from the local clock, and its FLOOR TO DAY is an hour off on the day that clocks change; flowline counts the seconds since 1970 UTC and finds the local midnight
SET 'table.local-time-zone' = 'Europe/Berlin';
CREATE TABLE t (l TIMESTAMP_LTZ(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT l, EXTRACT(EPOCH FROM l) AS ep, FLOOR(l TO DAY) AS fd, FLOOR(l TO HOUR) AS fh FROM t;
