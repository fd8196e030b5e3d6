-- case: an interval times a number
CREATE TABLE t (id INT, ts TIMESTAMP(3), d DATE, n INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, ts + n * INTERVAL '1' MINUTE AS tn, ts + INTERVAL '5' MINUTE * 2 AS t2 FROM t;
