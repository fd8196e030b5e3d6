-- case: fields of rows into a sink by position
CREATE TABLE t (id INT, r ROW<city STRING, zip INT, geo ROW<lat DOUBLE, lon DOUBLE>>) WITH (
  'connector' = 'kafka',
  'topic' = 't',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
CREATE TABLE out_p (id INT, city STRING, lat DOUBLE, place ROW<lat DOUBLE, lon DOUBLE>) WITH ('connector' = 'print');
INSERT INTO out_p SELECT id, r.city, r.geo.lat, r.geo FROM t;
