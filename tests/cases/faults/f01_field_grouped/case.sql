-- case: fields of rows in GROUP BY, joins, windows of OVER and ORDER BY
CREATE TABLE t (id INT, r ROW<city STRING, zip INT, geo ROW<lat DOUBLE, lon DOUBLE>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE c (city STRING, country STRING) WITH (
  'connector' = 'kafka',
  'topic' = 'c',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT r.city, COUNT(*) AS n, SUM(r.zip) AS z FROM t GROUP BY r.city;
SELECT r.city, MAX(id) AS m FROM t GROUP BY r.city, r.geo.lat HAVING MAX(r.zip) > 9;
SELECT t.id, t.r.city, c.country FROM t JOIN c ON t.r.city = c.city;
SELECT DISTINCT r.city FROM t;
SELECT city, zip FROM (SELECT r.city, r.zip, ROW_NUMBER() OVER (PARTITION BY r.city ORDER BY r.zip DESC) AS rn FROM t) WHERE rn <= 1;
