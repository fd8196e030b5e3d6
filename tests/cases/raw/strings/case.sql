-- case: a line is one STRING as it is
CREATE TABLE t (line STRING) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'raw'
);
SELECT line, CHAR_LENGTH(line) AS n, line LIKE '%ERROR%' AS e FROM t;
