-- case: parts and units of timestamps before 1970
-- differs: Flink's EXTRACT gives negative parts of a wrong date and its FLOOR TO MONTH rounds up; flowline counts right
CREATE TABLE t (ts TIMESTAMP(3)) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT ts, EXTRACT(YEAR FROM ts) AS y, EXTRACT(QUARTER FROM ts) AS q, EXTRACT(MONTH FROM ts) AS mo, EXTRACT(WEEK FROM ts) AS w, EXTRACT(DAY FROM ts) AS d, EXTRACT(HOUR FROM ts) AS h, EXTRACT(MINUTE FROM ts) AS mi, EXTRACT(SECOND FROM ts) AS s, EXTRACT(MILLISECOND FROM ts) AS ms FROM t;
SELECT ts, FLOOR(ts TO SECOND) AS s, FLOOR(ts TO MINUTE) AS mi, FLOOR(ts TO HOUR) AS h, FLOOR(ts TO DAY) AS d, FLOOR(ts TO MONTH) AS mo, FLOOR(ts TO QUARTER) AS q, FLOOR(ts TO YEAR) AS y, CEIL(ts TO DAY) AS cd, CEIL(ts TO MONTH) AS cm, CAST(ts AS TIMESTAMP(0)) AS t0 FROM t;
