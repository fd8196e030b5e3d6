-- case: a field of a row is called by its own name, at every depth
CREATE TABLE t (id INT, r ROW<city STRING, zip INT, geo ROW<lat DOUBLE, lon DOUBLE>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
SELECT id, r.city, r.zip FROM t;
SELECT r.geo.lat, r.geo.lon, r.city FROM t;
SELECT t.r.city, t.r.geo.lat FROM t;
SELECT r.geo FROM t;
SELECT x.r.city, x.`r`.`zip` FROM t AS x;
