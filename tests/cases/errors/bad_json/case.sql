-- case: a line that is no JSON fails the job
-- error: events_in
CREATE TABLE events_in (id INT) WITH (
  'connector' = 'kafka',
  'topic' = 'events_in',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT * FROM events_in;
