-- case: TIMESTAMPDIFF is an INT and truncates toward zero, whole months only
CREATE TABLE t (a TIMESTAMP(3), b TIMESTAMP(3), d DATE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT TIMESTAMPDIFF(SECOND, a, b) AS s, TIMESTAMPDIFF(MINUTE, a, b) AS mi, TIMESTAMPDIFF(HOUR, a, b) AS h, TIMESTAMPDIFF(DAY, a, b) AS d, TIMESTAMPDIFF(MONTH, a, b) AS mo, TIMESTAMPDIFF(YEAR, a, b) AS y, TIMESTAMPDIFF(WEEK, a, b) AS w, TIMESTAMPDIFF(QUARTER, a, b) AS q FROM t;
SELECT TIMESTAMPDIFF(DAY, d, a) AS dd, TIMESTAMPDIFF(MINUTE, b, a) AS neg, TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', a) AS epoch FROM t;
