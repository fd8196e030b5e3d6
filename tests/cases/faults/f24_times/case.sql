-- case: times cast on their way into a sink
CREATE TABLE t (id INT, ts TIMESTAMP(3), d DATE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_t (id INT, d DATE, t TIME, ts TIMESTAMP(6), l TIMESTAMP_LTZ(3)) WITH ('connector' = 'print');
INSERT INTO out_t SELECT id, ts, ts, ts, ts FROM t;
