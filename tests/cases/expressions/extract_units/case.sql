-- case: EXTRACT of every unit, and the functions named like them
CREATE TABLE t (ts TIMESTAMP(3), n INT) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT ts, EXTRACT(YEAR FROM ts) AS eyear, EXTRACT(QUARTER FROM ts) AS equarter, EXTRACT(MONTH FROM ts) AS emonth, EXTRACT(WEEK FROM ts) AS eweek, EXTRACT(DAY FROM ts) AS eday, EXTRACT(DOY FROM ts) AS edoy, EXTRACT(DOW FROM ts) AS edow, EXTRACT(ISODOW FROM ts) AS eisodow, EXTRACT(ISOYEAR FROM ts) AS eisoyear, EXTRACT(HOUR FROM ts) AS ehour, EXTRACT(MINUTE FROM ts) AS eminute, EXTRACT(SECOND FROM ts) AS esecond, EXTRACT(MILLISECOND FROM ts) AS emillisecond, EXTRACT(EPOCH FROM ts) AS eepoch, EXTRACT(DECADE FROM ts) AS edecade, EXTRACT(CENTURY FROM ts) AS ecentury, EXTRACT(MILLENNIUM FROM ts) AS emillennium FROM t;
SELECT ts, YEAR(ts) AS y, QUARTER(ts) AS q, MONTH(ts) AS m, WEEK(ts) AS w, DAYOFYEAR(ts) AS dy, DAYOFMONTH(ts) AS dm, DAYOFWEEK(ts) AS dw, HOUR(ts) AS h, MINUTE(ts) AS mi, SECOND(ts) AS s FROM t;
