-- case: EXTRACT and the functions named after units; weeks start on Monday, day of week counts from Sunday = 1
CREATE TABLE t (ts TIMESTAMP(3), d DATE) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT ts, EXTRACT(YEAR FROM ts) AS y, EXTRACT(QUARTER FROM ts) AS q, EXTRACT(MONTH FROM ts) AS mo, EXTRACT(WEEK FROM ts) AS w, EXTRACT(DAY FROM ts) AS d, EXTRACT(HOUR FROM ts) AS h, EXTRACT(MINUTE FROM ts) AS mi, EXTRACT(SECOND FROM ts) AS s FROM t;
SELECT d, EXTRACT(DOW FROM d) AS dow, EXTRACT(DOY FROM d) AS doy, EXTRACT(ISODOW FROM d) AS isodow, EXTRACT(ISOYEAR FROM d) AS isoy, EXTRACT(WEEK FROM d) AS w, YEAR(d) AS y, MONTH(d) AS m, DAYOFMONTH(d) AS dm, DAYOFWEEK(d) AS dw, DAYOFYEAR(d) AS dy, QUARTER(d) AS q, WEEK(d) AS wk, HOUR(ts) AS h, MINUTE(ts) AS mi, SECOND(ts) AS s FROM t;
SELECT EXTRACT(MILLISECOND FROM ts) AS ms, EXTRACT(CENTURY FROM d) AS c, EXTRACT(DECADE FROM d) AS de, EXTRACT(EPOCH FROM ts) AS ep FROM t;
